/** Token documents packed into one stream and cut into training batches in a seeded order. */

import { createRandom, splitRandom } from '../array/random.ts';
import { int32, type Tensor } from '../array/tensor.ts';
import { InvalidInputError } from '../error.ts';

/** Inputs and the tokens that follow them, both `[batch, length]`. */
export interface TokenBatch {
  readonly inputs: Tensor<'int32'>;
  readonly targets: Tensor<'int32'>;
}

/** Documents one after another, each followed by the separator where there is one. */
export function packTokens(
  documents: readonly (readonly number[])[],
  separator: number | null,
): Int32Array {
  const extra = separator === null ? 0 : 1;
  const total = documents.reduce((sum, ids) => sum + ids.length + extra, 0);
  const stream = new Int32Array(total);
  let position = 0;
  for (const ids of documents) {
    stream.set(ids, position);
    position += ids.length;
    if (separator !== null) stream[position++] = separator;
  }
  return stream;
}

/**
 * The batch of a step: a function of stream, seed and step alone, so that a resumed run sees
 * what an uninterrupted one would. An epoch shifts the stream by a random offset, cuts it
 * into pieces of `length + 1` tokens that overlap by one, and visits them in random order.
 */
export function tokenBatches(
  stream: Int32Array,
  batch: number,
  length: number,
  seed: number,
): (step: number) => TokenBatch {
  // A piece less than what fits leaves room for the offset.
  const pieces = Math.max(1, Math.floor((stream.length - 1) / length) - 1);
  if (stream.length < length + 1) {
    const expected = `at least ${length + 1} tokens for a context of ${length}`;
    throw new InvalidInputError('documents', expected, `${stream.length}`);
  }
  let epoch = -1;
  let offset = 0;
  let order = new Int32Array();
  const enter = (wanted: number): void => {
    if (wanted === epoch) return;
    epoch = wanted;
    const random = createRandom(splitRandom(seed, `epoch ${epoch}`));
    offset = random.integer(Math.min(length, stream.length - 1 - pieces * length) + 1);
    order = random.shuffle(Int32Array.from({ length: pieces }, (_, index) => index));
  };
  return (step) => {
    const inputs = int32([batch, length]);
    const targets = int32([batch, length]);
    for (let row = 0; row < batch; row++) {
      const visited = step * batch + row;
      enter(Math.floor(visited / pieces));
      const start = offset + order[visited % pieces]! * length;
      inputs.data.set(stream.subarray(start, start + length), row * length);
      targets.data.set(stream.subarray(start + 1, start + length + 1), row * length);
    }
    return { inputs, targets };
  };
}
