/** The walk over a model's float blocks that calibrated methods share. */

import { float32, type Tensor } from '../array/tensor.ts';
import { type VisitedBlock, walkBlocks } from '../nn/calibrate.ts';
import type { RunContext } from '../nouns/run.ts';
import { pause } from './assemble.ts';
import { checkFiniteBlock, type QuantizeInput } from './input.ts';

/** Tokens in one batch: enough for fast products, little memory for what they make. */
const batchTokens = 2048;

/**
 * Visits the blocks in order on the calibration text. Each block's float output is the next
 * one's input, so that no block's error reaches another. Throws for NaN or infinite weights,
 * naming the parameter.
 */
export async function* floatPass(
  input: QuantizeInput,
  context: RunContext,
): AsyncGenerator<VisitedBlock> {
  for await (const visit of walkBlocks(input.model, calibrationRows(input), context)) {
    checkFiniteBlock(visit);
    await pause(context);
    yield visit;
  }
}

/** Calibration samples one by one, views of the same memory. */
export function calibrationRows({ calibrationTokens }: QuantizeInput): Int32Array[] {
  const [samples = 0, length = 0] = calibrationTokens.shape;
  return Array.from({ length: samples }, (_, sample) =>
    calibrationTokens.data.subarray(sample * length, (sample + 1) * length),
  );
}

/** Views of `[samples, length, features]` with about 2048 tokens each. */
export function batchesOf(tensor: Tensor): Tensor[] {
  const [samples = 0, length = 0, features = 0] = tensor.shape;
  const most = Math.max(1, Math.floor(batchTokens / length));
  // Batches of one size need one compiled function, as far as the samples divide.
  const size = Math.ceil(samples / Math.ceil(samples / most));
  const batches: Tensor[] = [];
  for (let start = 0; start < samples; start += size) {
    const end = Math.min(samples, start + size);
    const data = tensor.data.subarray(start * length * features, end * length * features);
    batches.push(float32([end - start, length, features], data));
  }
  return batches;
}

/** The same numbers as a matrix `[tokens, features]`. */
export function tokenRows(tensor: Tensor): Tensor {
  const features = tensor.shape.at(-1) ?? 0;
  return float32([tensor.data.length / features, features], tensor.data);
}

/** Mean over all tokens of |x| for each feature, `[features]`. */
export function meanMagnitude(tensor: Tensor): Float32Array {
  const features = tensor.shape.at(-1) ?? 0;
  const { data } = tensor;
  const sums = new Float64Array(features);
  for (let start = 0; start < data.length; start += features) {
    for (let index = 0; index < features; index++) {
      sums[index] += Math.abs(data[start + index]);
    }
  }
  const tokens = data.length / features;
  return Float32Array.from(sums, (sum) => sum / tokens);
}
