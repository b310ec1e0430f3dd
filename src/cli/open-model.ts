/** Opens what a user calls a model: a shipped name, a Hugging Face directory, or an artifact of ours. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadLanguageModel } from '../nn/load.ts';
import type { LanguageModel } from '../nn/model.ts';
import { resolveModelPath } from '../nn/shipped.ts';
import { dequantizedModel, readArtifact } from '../quantize/index.ts';

/** A quantized artifact comes back with its weights dequantized. */
export async function openModel(
  path: string,
  signal: AbortSignal,
): Promise<LanguageModel> {
  const resolved = resolveModelPath(path);
  return (await isArtifact(resolved))
    ? dequantizedModel(await readArtifact(resolved))
    : loadLanguageModel(resolved, signal);
}

/** Our artifacts note in their configuration how to read them back. */
async function isArtifact(directory: string): Promise<boolean> {
  const text = await readFile(join(directory, 'config.json'), 'utf8').catch(() => '');
  try {
    return 'assay' in (JSON.parse(text) as object);
  } catch {
    return false;
  }
}
