/** Batch-norm folding against batch normalisation computed plainly. */

import { expect, it } from 'vitest';
import { createRandom } from '../../array/random.ts';
import { float32, type Tensor } from '../../array/tensor.ts';
import { correctedBatchNorm, foldBatchNorm, perChannelWeights } from './batch-norm.ts';
import { floatLinear } from './integer-linear.ts';

const random = createRandom(21);
const draw = (count: number) => new Float32Array(count).map(random.normal);
const x = float32([24, 5], draw(120));
const weight = float32([3, 5], draw(15));
const norm = {
  gamma: draw(3),
  beta: draw(3),
  mean: draw(3),
  variance: draw(3).map((value) => Math.abs(value) + 0.2),
  epsilon: 1e-3,
};

function normalized(y: Tensor, mean: ArrayLike<number>, variance: ArrayLike<number>) {
  return y.data.map((value, index) => {
    const channel = index % 3;
    const deviation = Math.sqrt(variance[channel] + norm.epsilon);
    return (
      norm.gamma[channel] * ((value - mean[channel]) / deviation) + norm.beta[channel]
    );
  });
}

function expectClose(got: Float32Array, wanted: Float32Array): void {
  for (const [index, value] of got.entries()) {
    expect(Math.abs(value - wanted[index])).toBeLessThan(1e-5 * (1 + Math.abs(value)));
  }
}

it('folds the moving statistics for inference', () => {
  const folded = foldBatchNorm(weight, norm);
  const y = floatLinear(x, weight, null);
  expectClose(
    floatLinear(x, folded.weight, folded.bias).data,
    normalized(y, norm.mean, norm.variance),
  );
});

it('equals inference when frozen and batch normalisation when not, with nothing rounded', () => {
  const same = (w: Tensor) => w;
  const y = floatLinear(x, weight, null);
  const mean = [0, 0, 0];
  for (const [index, value] of y.data.entries()) mean[index % 3] += value / 24;
  const variance = [0, 0, 0];
  for (const [index, value] of y.data.entries()) {
    variance[index % 3] += (value - mean[index % 3]) ** 2 / 24;
  }
  expectClose(
    correctedBatchNorm(x, weight, norm, true, same).output.data,
    normalized(y, norm.mean, norm.variance),
  );
  expectClose(
    correctedBatchNorm(x, weight, norm, false, same).output.data,
    normalized(y, mean, variance),
  );
});

it('shows the quantizer the same weights whatever the batch', () => {
  const other = float32([24, 5], draw(120));
  const quantizer = perChannelWeights(8);
  const first = correctedBatchNorm(x, weight, norm, false, quantizer).weight;
  const second = correctedBatchNorm(other, weight, norm, false, quantizer).weight;
  expectClose(first.data, second.data);
});

it('keeps dead channels finite', () => {
  const dead = { ...norm, variance: new Float32Array(3) };
  const { output } = correctedBatchNorm(x, float32([3, 5]), dead, false, (w) => w);
  expect(output.data.every(Number.isFinite)).toBe(true);
});

it('refuses inputs of another width', () => {
  const wide = float32([2, 6]);
  expect(() => correctedBatchNorm(wide, weight, norm, true, (w) => w)).toThrow(
    '5 columns',
  );
});
