/** Random models, their quantized twins and reference logits, for tests and measurements. */

import { type Grid, type GridKind, grid } from '../../array/quantizer/grid.ts';
import { type Grouping, quantizeMatrix } from '../../array/quantizer/matrix.ts';
import { float32, type Tensor } from '../../array/tensor.ts';
import {
  compiledDecoder,
  embedTokens,
  readBlock,
  readEmbedding,
  readHead,
} from '../decoder/compiled.ts';
import { linearLayers } from '../decoder/linear-layers.ts';
import { blockPrefix, parameterShapes } from '../decoder/parameters.ts';
import { sequenceSurroundings } from '../decoder/positions.ts';
import {
  type LanguageModel,
  type LanguageModelConfig,
  memoryParameters,
} from '../model.ts';
import type { QuantizedModel } from '../quantized.ts';
import { sampleModel } from '../sample-models.ts';
import { type DecoderOptions, openDecoder } from './decode.ts';
import { type ExportableModel, exportSource } from './source.ts';

/** A random model whose sizes the fused operators and blocks of 32 take, with changes. */
export function randomModel(
  family: LanguageModelConfig['family'],
  changes: Partial<LanguageModelConfig> = {},
): Promise<LanguageModel> {
  return sampleModel(family, 0, {
    vocabularySize: 300,
    hiddenSize: 64,
    intermediateSize: 160,
    heads: 4,
    keyValueHeads: family === 'gpt2' ? 4 : 2,
    headSize: 16,
    contextLength: 128,
    ...changes,
  });
}

/** Round-to-nearest codes for every linear layer of the blocks. */
export async function roundedModel(
  model: LanguageModel,
  bits: number,
  kind: GridKind,
  grouping: Grouping,
): Promise<QuantizedModel> {
  const { config } = model;
  const linear = new Set<string>();
  for (let layer = 0; layer < config.layers; layer++) {
    for (const { name } of linearLayers(config)) {
      linear.add(blockPrefix(config, layer) + name);
    }
  }
  const chosen: Grid = grid({ bits, kind });
  const matrices: Record<string, ReturnType<typeof quantizeMatrix>> = {};
  const floats: Record<string, Tensor> = {};
  for (const name of Object.keys(parameterShapes(config))) {
    const tensor = await model.parameters.read(name);
    if (linear.has(name)) matrices[name] = quantizeMatrix(tensor, chosen, grouping, name);
    else floats[name] = tensor;
  }
  return {
    config,
    tokenizer: model.tokenizer,
    method: 'round-to-nearest',
    matrices,
    floats,
    activations: {},
    report: {},
  };
}

/** The same model with the inputs of the feed-forward parts' last layers divided by scales. */
export function withInputScales(model: QuantizedModel): QuantizedModel {
  const matrices = Object.entries(model.matrices).map(([name, matrix]) => {
    if (!/mlp\.(c_proj|down_proj)/.test(name)) return [name, matrix] as const;
    const inputScales = Float32Array.from(
      { length: matrix.shape[1] },
      (_, index) => 0.25 * (1 + (index % 7)),
    );
    return [name, { ...matrix, inputScales }] as const;
  });
  return { ...model, matrices: Object.fromEntries(matrices) };
}

/** The float model that a quantized one stands for. */
export async function dequantizedModel(model: QuantizedModel): Promise<LanguageModel> {
  const source = exportSource(model);
  const tensors: Record<string, Tensor> = {};
  for (const name of Object.keys(source.shapes)) tensors[name] = await source.read(name);
  return {
    config: model.config,
    parameters: memoryParameters(tensors),
    tokenizer: model.tokenizer,
    name: 'dequantized',
    fingerprint: 'dequantized',
  };
}

/** Logits of every position, `[ids.length, vocabularySize]`, by our own forward pass. */
export async function referenceLogits(
  model: LanguageModel,
  ids: readonly number[],
): Promise<Tensor> {
  const { config } = model;
  const decoder = compiledDecoder(config, 2);
  const surroundings = sequenceSurroundings(config, ids.length);
  let hidden = embedTokens(await readEmbedding(model), [ids]);
  for (let layer = 0; layer < config.layers; layer++) {
    const parameters = await readBlock(model, layer);
    hidden = (await decoder.block(parameters, hidden, surroundings)).hidden;
  }
  const logits = await decoder.head(await readHead(model), hidden);
  return float32([ids.length, config.vocabularySize], logits.data);
}

/** Largest difference of two arrays, relative to the largest magnitude of the second. */
export function largestDifference(
  received: Float32Array,
  expected: Float32Array,
): number {
  let difference = 0;
  let magnitude = 0;
  expected.forEach((value, index) => {
    difference = Math.max(difference, Math.abs(value - received[index]!));
    magnitude = Math.max(magnitude, Math.abs(value));
  });
  return difference / magnitude;
}

/** Logits of a decoder that reads `ids` in pieces of the given lengths. */
export async function logitsInPieces(
  model: ExportableModel,
  ids: readonly number[],
  pieces: readonly number[],
  options: DecoderOptions = {},
): Promise<Float32Array> {
  const decoder = await openDecoder(model, options);
  const parts: number[] = [];
  for (const length of pieces) {
    const logits = await decoder.append(
      ids.slice(decoder.length, decoder.length + length),
    );
    parts.push(...logits.data);
  }
  await decoder.release();
  return Float32Array.from(parts);
}
