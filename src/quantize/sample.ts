/** A tiny input for the contract suite, and the ways to spoil it. */

import { createRandom, splitRandom } from '../array/random.ts';
import { float32, int32, type Tensor } from '../array/tensor.ts';
import { memoryModel } from '../nn/memory-model.ts';
import type { LanguageModel } from '../nn/model.ts';
import { sampleConfiguration, sampleParameters } from '../nn/sample-models.ts';
import type { TaskSample } from '../nouns/task.ts';
import type { QuantizeInput } from './input.ts';

/** A random LLaMA-style model of two blocks, width 32, 64 tokens, and random text. */
export async function sampleInput(seed: number): Promise<TaskSample<QuantizeInput>> {
  const config = sampleConfiguration('llama', {
    vocabularySize: 64,
    hiddenSize: 32,
    intermediateSize: 64,
    heads: 4,
    keyValueHeads: 4,
    headSize: 8,
    contextLength: 32,
  });
  const model = await memoryModel(config, sampleParameters(config, seed), null, 'sample');
  const random = createRandom(splitRandom(seed, 'sample tokens'));
  const draw = (count: number): Int32Array =>
    Int32Array.from({ length: count }, () => random.integer(config.vocabularySize));
  const input: QuantizeInput = {
    model,
    calibrationTokens: int32([6, 16], draw(96)),
    evaluationTokens: draw(128),
  };
  const weight = 'model.layers.1.mlp.up_proj.weight';
  const withTokens = (tokens: Tensor<'int32'>): QuantizeInput => ({
    ...input,
    calibrationTokens: tokens,
  });
  const outside = input.calibrationTokens.data.slice();
  outside[20] = config.vocabularySize;
  const negative = input.calibrationTokens.data.slice();
  negative[3] = -1;
  const asFloats = {
    dtype: 'float32',
    shape: [6, 16],
    data: Float32Array.from(input.calibrationTokens.data),
  } as unknown as Tensor<'int32'>;
  return {
    input,
    spoiled: [
      {
        name: 'a weight that is not a number',
        input: { ...input, model: await changedWeight(model, weight, Number.NaN) },
        mentions: [weight, 'NaN'],
      },
      {
        name: 'an infinite weight',
        input: { ...input, model: await changedWeight(model, weight, Infinity) },
        mentions: [weight, 'Infinity'],
      },
      {
        name: 'a weight of another shape',
        input: { ...input, model: replaced(model, weight, float32([64, 31])) },
        mentions: [weight, '[64, 31]'],
      },
      {
        name: 'a weight of another type',
        input: { ...input, model: replaced(model, weight, int32([64, 32])) },
        mentions: [weight, 'int32'],
      },
      {
        name: 'no calibration text',
        input: withTokens(int32([0, 16])),
        mentions: ['calibrationTokens', 'empty'],
      },
      {
        name: 'samples that are too short',
        input: withTokens(int32([6, 1], draw(6))),
        mentions: ['calibrationTokens', 'at least 2'],
      },
      {
        name: 'a token outside the vocabulary',
        input: withTokens(int32([6, 16], outside)),
        mentions: ['calibrationTokens', '64', 'vocabulary'],
      },
      {
        name: 'a negative token',
        input: withTokens(int32([6, 16], negative)),
        mentions: ['calibrationTokens', '-1'],
      },
      {
        name: 'tokens of another type',
        input: withTokens(asFloats),
        mentions: ['calibrationTokens', 'int32'],
      },
    ],
  };
}

async function changedWeight(
  model: LanguageModel,
  name: string,
  value: number,
): Promise<LanguageModel> {
  const { shape, data } = await model.parameters.read(name);
  const changed = data.slice();
  changed[100] = value;
  return replaced(model, name, float32(shape, changed));
}

/** The model with another tensor under a name, unchecked. */
function replaced(
  model: LanguageModel,
  name: string,
  tensor: Tensor | Tensor<'int32'>,
): LanguageModel {
  const { parameters } = model;
  return {
    ...model,
    fingerprint: `${model.fingerprint} spoiled`,
    parameters: {
      names: parameters.names,
      describe: (asked) =>
        asked === name
          ? { dtype: tensor.dtype, shape: tensor.shape }
          : parameters.describe(asked),
      read: async (asked) =>
        asked === name ? (tensor as Tensor) : parameters.read(asked),
    },
  };
}
