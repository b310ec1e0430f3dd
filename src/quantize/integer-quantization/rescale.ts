/** A function-preserving change that makes the ranges of weight rows vary wildly. */

import { createRandom, splitRandom } from '../../array/random.ts';
import { float32, type Tensor } from '../../array/tensor.ts';
import { InvalidInputError } from '../../error.ts';
import { blockPrefix } from '../../nn/decoder/parameters.ts';
import { memoryModel, readParameters } from '../../nn/memory-model.ts';
import type { LanguageModel } from '../../nn/model.ts';

/**
 * The same function with a random eighth of the query channels (pairs of them, as rotary
 * positions turn them together) multiplied by `factor` and the key channels they meet
 * divided by it: scores stay as they are, and no linear layer's input changes. As folding
 * batch normalisation does in convolutional networks, it leaves a few huge rows beside
 * ordinary ones. Every query head needs a key head of its own.
 */
export async function rescaleQueries(
  model: LanguageModel,
  seed: number,
  factor = 2 ** 7,
): Promise<LanguageModel> {
  const { config } = model;
  const { heads, keyValueHeads, headSize } = config;
  if (heads !== keyValueHeads || config.family === 'gpt2' || config.queryKeyNorm) {
    throw new InvalidInputError(
      'model',
      'separate query and key matrices with as many key heads as query heads, not normed',
      `${config.family} with ${heads} and ${keyValueHeads} heads`,
    );
  }
  const tensors = await readParameters(model);
  const pairs = headSize / 2;
  for (let block = 0; block < config.layers; block++) {
    const prefix = `${blockPrefix(config, block)}self_attn.`;
    const random = createRandom(splitRandom(seed, `queries of block ${block}`));
    const order = Int32Array.from({ length: heads * pairs }, (_, index) => index);
    const chosen = random.shuffle(order).subarray(0, Math.ceil((heads * pairs) / 8));
    const channels: number[] = [];
    for (const index of chosen) {
      const first = Math.floor(index / pairs) * headSize + (index % pairs);
      channels.push(first, first + pairs);
    }
    for (const [part, by] of [
      ['q_proj', factor],
      ['k_proj', 1 / factor],
    ] as const) {
      for (const name of [`${prefix}${part}.weight`, `${prefix}${part}.bias`]) {
        const tensor = tensors[name];
        if (tensor) tensors[name] = scaledRows(tensor, channels, by);
      }
    }
  }
  return memoryModel(config, tensors, model.tokenizer, `${model.name} rescaled`);
}

function scaledRows(tensor: Tensor, rows: readonly number[], by: number): Tensor {
  const data = tensor.data.slice();
  const width = tensor.shape[1] ?? 1;
  for (const row of rows) {
    for (let index = row * width; index < (row + 1) * width; index++) data[index] *= by;
  }
  return float32(tensor.shape, data);
}
