/** Ranges of activations from calibration data: moving average, extremes, percentile, error. */

import { chooseAffine, fakeQuantize } from '../../array/quantizer/affine.ts';
import type { Tensor } from '../../array/tensor.ts';
import { InvalidInputError } from '../../error.ts';

export const rangeRules = ['moving-average', 'min-max', 'percentile', 'mse'] as const;
export type RangeRule = (typeof rangeRules)[number];

export interface Range {
  readonly low: number;
  readonly high: number;
}

/** Share of the old average kept with every batch (whitepaper, section 3.1.2 and TensorFlow). */
const decay = 0.99;
const percentile = 0.9999;
/** Values looked at by the error search. */
const searchedValues = 65_536;

/**
 * Range of a tensor whose first axis are calibration batches. Always holds 0.
 * - `moving-average`: exponential average over batches of their extremes, decay 0.99,
 *   beginning with the first batch's;
 * - `min-max`: the extremes of all;
 * - `percentile`: 99.99 % of all values lie below the high end, 99.99 % above the low end;
 * - `mse`: the share of the extremes with the smallest mean squared rounding error.
 * Throws for NaN and infinity, with the name.
 */
export function activationRange(
  batches: Tensor,
  rule: RangeRule,
  bits: number,
  name: string,
): Range {
  const { data, shape } = batches;
  for (let index = 0; index < data.length; index++) {
    if (!Number.isFinite(data[index])) {
      throw new InvalidInputError(name, 'finite activations', `${data[index]}`);
    }
  }
  switch (rule) {
    case 'moving-average':
      return movingAverage(data, shape[0] ?? 1);
    case 'min-max':
      return extremesOf(data);
    case 'percentile':
      return percentiles(data);
    case 'mse':
      return smallestError(data, bits);
  }
}

function extremesOf(data: Float32Array): Range {
  let low = 0;
  let high = 0;
  for (let index = 0; index < data.length; index++) {
    const value = data[index];
    if (value < low) low = value;
    else if (value > high) high = value;
  }
  return { low, high };
}

function movingAverage(data: Float32Array, batches: number): Range {
  const size = data.length / batches;
  let average: Range | undefined;
  for (let batch = 0; batch < batches; batch++) {
    const seen = extremesOf(data.subarray(batch * size, (batch + 1) * size));
    average = average
      ? {
          low: decay * average.low + (1 - decay) * seen.low,
          high: decay * average.high + (1 - decay) * seen.high,
        }
      : seen;
  }
  return average ?? { low: 0, high: 0 };
}

function percentiles(data: Float32Array): Range {
  const sorted = data.slice().sort();
  const at = (share: number): number => {
    const position = share * (sorted.length - 1);
    const before = Math.floor(position);
    const after = Math.min(before + 1, sorted.length - 1);
    return sorted[before] + (position - before) * (sorted[after] - sorted[before]);
  };
  return { low: Math.min(at(1 - percentile), 0), high: Math.max(at(percentile), 0) };
}

function smallestError(data: Float32Array, bits: number): Range {
  const whole = extremesOf(data);
  const step = Math.max(1, Math.floor(data.length / searchedValues));
  const sample = data.filter((_, index) => index % step === 0);
  let best = whole;
  let bestError = Number.POSITIVE_INFINITY;
  for (let percent = 100; percent >= 5; percent -= 1) {
    const range = {
      low: (whole.low * percent) / 100,
      high: (whole.high * percent) / 100,
    };
    const rounded = fakeQuantize(sample, chooseAffine(range.low, range.high, bits));
    let error = 0;
    for (let index = 0; index < sample.length; index++) {
      error += (rounded[index] - sample[index]) ** 2;
    }
    if (error < bestError) {
      bestError = error;
      best = range;
    }
  }
  return best;
}
