/** Activation ranges against their definitions. */

import { expect, it } from 'vitest';
import { createRandom } from '../../array/random.ts';
import { float32 } from '../../array/tensor.ts';
import { activationRange, rangeRules } from './ranges.ts';

const batches = (...rows: number[][]) =>
  float32([rows.length, rows[0].length], Float32Array.from(rows.flat()));

it('averages the extremes of batches with decay 0.99, beginning with the first', () => {
  const { low, high } = activationRange(
    batches([-1, 2], [-3, 4], [1, 8]),
    'moving-average',
    8,
    'x',
  );
  // The last batch has no negative number: its minimum is lowered to 0.
  expect(low).toBeCloseTo((-1 * 0.99 - 3 * 0.01) * 0.99, 10);
  expect(high).toBeCloseTo((2 * 0.99 + 4 * 0.01) * 0.99 + 8 * 0.01, 10);
});

it('takes the extremes of all batches', () => {
  const range = activationRange(batches([-1, 2], [-3, 4]), 'min-max', 8, 'x');
  expect(range).toEqual({ low: -3, high: 4 });
});

it('cuts a ten-thousandth off each end', () => {
  const values = new Float32Array(20_001).map((_, index) => index / 10_000 - 1);
  const range = activationRange(float32([1, 20_001], values), 'percentile', 8, 'x');
  expect(range.high).toBeCloseTo(1 - 2e-4, 6);
  expect(range.low).toBeCloseTo(-1 + 2e-4, 6);
});

it('gives up an outlier for less error at 4 bits', () => {
  const random = createRandom(6);
  const values = new Float32Array(4096).map(random.normal);
  values[17] = 40;
  const tensor = float32([1, 4096], values);
  const range = activationRange(tensor, 'mse', 4, 'x');
  expect(range.high).toBeLessThan(20);
  expect(activationRange(tensor, 'min-max', 4, 'x').high).toBe(40);
});

it('always holds 0', () => {
  for (const rule of rangeRules) {
    for (const row of [
      [3, 4],
      [-4, -3],
    ]) {
      const { low, high } = activationRange(batches(row, row), rule, 8, 'x');
      expect(low).toBeLessThanOrEqual(0);
      expect(high).toBeGreaterThanOrEqual(0);
    }
  }
});

it('names the layer of activations that are not finite', () => {
  for (const rule of rangeRules) {
    expect(() =>
      activationRange(batches([1, Number.NaN]), rule, 8, 'layer 3 attended'),
    ).toThrow('layer 3 attended');
  }
});
