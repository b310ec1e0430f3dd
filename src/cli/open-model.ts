/** Opens what a user calls a model: a shipped name, a Hugging Face directory, or an artifact of ours. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadLanguageModel } from '../nn/load.ts';
import type { LanguageModel } from '../nn/model.ts';
import type { QuantizedModel } from '../nn/quantized.ts';
import { resolveModelPath } from '../nn/shipped.ts';
import { dequantizedModel, readArtifact } from '../quantize/index.ts';
import type { Terminal } from './terminal.ts';

/** The artifact in a directory of ours; null where the path names any other model. */
export async function openArtifact(path: string): Promise<QuantizedModel | null> {
  const directory = resolveModelPath(path);
  const text = await readFile(join(directory, 'config.json'), 'utf8').catch(() => '');
  // Our artifacts note in their configuration how to read them back.
  return text.includes('"assay"') ? readArtifact(directory) : null;
}

/** A float model. An artifact comes back with its weights dequantized, and a remark on the rest. */
export async function openModel(
  path: string,
  signal: AbortSignal,
  terminal: Terminal,
): Promise<LanguageModel> {
  const artifact = await openArtifact(path);
  if (!artifact) return loadLanguageModel(resolveModelPath(path), signal);
  if (Object.keys(artifact.activations).length > 0) {
    terminal.log('this model also quantizes activations; here they stay in float');
  }
  return dequantizedModel(artifact);
}
