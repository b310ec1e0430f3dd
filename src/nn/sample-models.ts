/** Tiny random models of every family, for tests and the contract suite. */

import { createRandom, splitRandom } from '../array/random.ts';
import { float32, type Tensor } from '../array/tensor.ts';
import type { Tokenizer } from '../data/tokenizer.ts';
import { parameterShapes } from './decoder/parameters.ts';
import { memoryModel } from './memory-model.ts';
import type { LanguageModel, LanguageModelConfig } from './model.ts';

/** A small configuration of a family: three query heads to a key head where it has groups. */
export function sampleConfiguration(
  family: LanguageModelConfig['family'],
  changes: Partial<LanguageModelConfig> = {},
): LanguageModelConfig {
  const gpt = family === 'gpt2';
  return {
    family,
    vocabularySize: 40,
    hiddenSize: 24,
    intermediateSize: 32,
    layers: 2,
    heads: 6,
    keyValueHeads: gpt ? 6 : 2,
    headSize: 4,
    contextLength: 32,
    norm: gpt ? 'layer' : 'rms',
    normEpsilon: 1e-5,
    positions: gpt ? 'learned' : 'rotary',
    ropeTheta: 10000,
    ropeScaling: null,
    slidingWindow: null,
    activation: gpt ? 'gelu-tanh' : 'silu-gated',
    queryKeyValueBias: gpt || family === 'qwen2',
    outputBias: gpt,
    queryKeyNorm: family === 'qwen3',
    tiedHead: gpt || family === 'qwen3',
    beginToken: null,
    endToken: 0,
    ...changes,
  };
}

/** Random parameters, large enough that every part of the model shows in its logits. */
export function sampleParameters(
  config: LanguageModelConfig,
  seed: number,
): Record<string, Tensor> {
  const parameters: Record<string, Tensor> = {};
  for (const [name, shape] of Object.entries(parameterShapes(config))) {
    const random = createRandom(splitRandom(seed, name));
    const tensor = float32(shape);
    const centre = shape.length === 1 && name.endsWith('.weight') ? 1 : 0;
    const deviation = shape.length === 1 ? 0.2 : 1.2 / Math.sqrt(shape[1]!);
    for (let index = 0; index < tensor.data.length; index++) {
      tensor.data[index] = centre + deviation * random.normal();
    }
    parameters[name] = tensor;
  }
  return parameters;
}

/** A model of random parameters; texts are encoded by their bytes, modulo the vocabulary. */
export async function sampleModel(
  family: LanguageModelConfig['family'],
  seed: number,
  changes: Partial<LanguageModelConfig> = {},
): Promise<LanguageModel> {
  const config = sampleConfiguration(family, changes);
  const tokenizer: Tokenizer = {
    encode: (text) => [...Buffer.from(text)].map((byte) => byte % config.vocabularySize),
    decode: (ids) => String.fromCharCode(...ids),
    json: null,
  };
  return memoryModel(
    config,
    sampleParameters(config, seed),
    tokenizer,
    `sample-${family}`,
  );
}
