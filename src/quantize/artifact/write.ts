/** Writes a quantized model as a directory: weights, configuration, tokenizer, recipe, card. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidInputError } from '../../error.ts';
import { writeDirectoryAtomic, writeFileAtomic } from '../../format/atomic.ts';
import { writeShardedSafetensors } from '../../format/safetensors-writer.ts';
import { writeGguf, writeOnnx } from '../../nn/export/index.ts';
import type { QuantizedModel } from '../../nn/quantized.ts';
import { describingFiles } from '../../nn/save.ts';
import type { RunContext } from '../../nouns/run.ts';
import type { ArtifactFormat, Recipe } from '../../nouns/task.ts';
import { dequantizedModel } from '../dequantized.ts';
import { artifactCard } from './card.ts';
import { artifactNotes, quantizationConfig } from './configuration.ts';
import { awqObstacle, defaultLayout, type Layout, tensorsOf } from './layout.ts';

export const quantizeFormats: readonly ArtifactFormat[] = [
  {
    name: 'safetensors',
    title: 'GPTQ checkpoint',
    description:
      'Safetensors in the GPTQ layout, which vLLM, SGLang and transformers load; in a ' +
      'packed layout of our own where GPTQ’s cannot hold the model (sizes that are not ' +
      'multiples of 32, one scale a matrix, quantized or scaled activations).',
  },
  {
    name: 'awq',
    title: 'AWQ checkpoint',
    description: 'Safetensors in AutoAWQ’s layout, in the folder awq; 4 bits only.',
  },
  {
    name: 'onnx',
    title: 'ONNX',
    description:
      'A graph with packed weights (MatMulNBits) for ONNX Runtime and transformers.js, in ' +
      'the folder onnx-model.',
  },
  {
    name: 'gguf',
    title: 'GGUF',
    description:
      'One file, model.gguf, for llama.cpp and its relatives; matrices that fit none of its ' +
      'block types are stored as floats.',
  },
];

/**
 * Writes the formats asked for into one new directory: the safetensors checkpoint at its top
 * with `recipe.json` and `README.md`, the others in folders. All or nothing. Returns the
 * names of the files.
 *
 * @throws InvalidInputError when the directory exists or a format cannot hold the model.
 */
export async function writeArtifact(
  model: QuantizedModel,
  directory: string,
  recipe: Recipe,
  formats: readonly string[],
  context: RunContext,
): Promise<readonly string[]> {
  const { signal } = context;
  const obstacle = formats.includes('awq') ? awqObstacle(model) : null;
  if (obstacle !== null) {
    throw new InvalidInputError('formats', 'a model that the AWQ layout holds', obstacle);
  }
  const layout = defaultLayout(model);
  return writeDirectoryAtomic(
    directory,
    async (temporary) => {
      const names: string[] = [];
      if (formats.includes('safetensors')) {
        names.push(...(await writeCheckpoint(model, temporary, layout, signal)));
      }
      if (formats.includes('awq')) {
        const folder = join(temporary, 'awq');
        await mkdir(folder);
        const written = await writeCheckpoint(model, folder, 'awq', signal);
        names.push(...written.map((name) => join('awq', name)));
      }
      if (formats.includes('onnx')) {
        const report = await writeOnnx(model, join(temporary, 'onnx-model'), context);
        names.push(...report.files.map(({ name }) => join('onnx-model', name)));
      }
      if (formats.includes('gguf')) {
        await writeGguf(model, join(temporary, 'model.gguf'), context);
        names.push('model.gguf');
      }
      const texts = {
        'recipe.json': json(recipe),
        'README.md': artifactCard(model, recipe, layout, formats),
      };
      for (const [name, text] of Object.entries(texts)) {
        await writeFileAtomic(join(temporary, name), text, { signal });
        names.push(name);
      }
      return names;
    },
    { existing: 'refuse', signal },
  );
}

async function writeCheckpoint(
  model: QuantizedModel,
  directory: string,
  layout: Layout,
  signal: AbortSignal,
): Promise<string[]> {
  const files = describingFiles(dequantizedModel(model), 'float16');
  const quantization = quantizationConfig(model, layout);
  const config = {
    ...(JSON.parse(files['config.json']) as Record<string, unknown>),
    ...(quantization ? { quantization_config: quantization } : {}),
    assay: artifactNotes(model, layout),
  };
  const texts: Record<string, string> = { ...files, 'config.json': json(config) };
  if (quantization && layout === 'gptq') {
    texts['quantize_config.json'] = json(quantization);
  }
  for (const [name, text] of Object.entries(texts)) {
    await writeFileAtomic(join(directory, name), text, { signal });
  }
  const weights = await writeShardedSafetensors(directory, tensorsOf(model, layout), {
    metadata: { format: 'pt' },
    signal,
  });
  return [...Object.keys(texts), ...weights];
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
