/** AWQ's search for the largest weight a group may keep before rounding. */

import type { Grid } from '../../array/quantizer/grid.ts';
import { roundTrip } from '../../array/quantizer/matrix.ts';
import type { Tensor } from '../../array/tensor.ts';

export interface ClipOptions {
  /** Steps in which the maximum would shrink to 0; the step is `1 / gridPoints`. */
  readonly gridPoints: number;
  /** Share of the maximum that may be cut at most. */
  readonly maxShrink: number;
  /** About how many tokens are looked at. */
  readonly sampleTokens: number;
}

/** Errors of one ratio for every group, `[outFeatures, groups]`, given `Q(clamp(w)) - w`. */
export type GroupErrors = (difference: Float32Array) => Promise<Float32Array>;

/** Whether a layer is left unclipped: softmax makes query and key layers delicate. */
export function isClippable(name: string): boolean {
  return !['q_', 'k_', 'query', 'key', 'Wqkv'].some((part) => name.includes(part));
}

/** Every `max(1, floor(tokens / wanted))`-th row of `[tokens, inFeatures]`. */
export function sampleRows(x: Tensor, wanted: number): Tensor {
  const [tokens, inputs] = x.shape;
  const step = Math.max(1, Math.floor(tokens / wanted));
  if (step === 1) return x;
  const kept = Math.ceil(tokens / step);
  const data = new Float32Array(kept * inputs);
  for (let row = 0; row < kept; row++) {
    data.set(
      x.data.subarray(row * step * inputs, (row * step + 1) * inputs),
      row * inputs,
    );
  }
  return { dtype: 'float32', shape: [kept, inputs], data };
}

/** Ratios tried: `1, 1 - 1/points, ...`, `floor(maxShrink * points)` of them. */
export function clipRatios({ gridPoints, maxShrink }: ClipOptions): number[] {
  const steps = Math.max(1, Math.floor(maxShrink * gridPoints + 1e-9));
  return Array.from({ length: steps }, (_, index) => 1 - index / gridPoints);
}

/**
 * Largest magnitude for each group, `[outFeatures, groups]`: the first of the ratios of its
 * present maximum with the smallest mean squared error of the group's partial output over
 * the tokens (AWQ's official clip search). Only ratio 1 for a group means: leave it alone.
 */
export async function searchClips(
  weight: Tensor,
  groupSize: number,
  grid: Grid,
  options: ClipOptions,
  errors: GroupErrors,
): Promise<Float32Array> {
  const { data } = weight;
  const groups = data.length / groupSize;
  const reach = new Float32Array(groups);
  for (let index = 0; index < data.length; index++) {
    const group = Math.floor(index / groupSize);
    reach[group] = Math.max(reach[group], Math.abs(data[index]));
  }
  const best = reach.slice();
  const bestError = new Float32Array(groups).fill(Number.POSITIVE_INFINITY);
  const trial = new Float32Array(data.length);
  for (const ratio of clipRatios(options)) {
    const limits = reach.map((value) => value * ratio);
    clampGroups(data, limits, groupSize, trial);
    roundTrip(trial, groupSize, grid, trial);
    for (let index = 0; index < data.length; index++) trial[index] -= data[index];
    const found = await errors(trial);
    for (let group = 0; group < groups; group++) {
      if (found[group] < bestError[group]) {
        bestError[group] = found[group];
        best[group] = limits[group];
      }
    }
  }
  return best;
}

/** Clamps every group of `[outFeatures, inFeatures]` data to its limit, into `output`. */
export function clampGroups(
  data: Float32Array,
  limits: Float32Array,
  groupSize: number,
  output: Float32Array = new Float32Array(data.length),
): Float32Array {
  for (let group = 0; group < limits.length; group++) {
    const limit = limits[group];
    const end = (group + 1) * groupSize;
    for (let index = group * groupSize; index < end; index++) {
      const value = data[index];
      output[index] = value > limit ? limit : Math.max(value, -limit);
    }
  }
  return output;
}

/**
 * Group errors on the host: with `G = X_g^T X_g / tokens` the mean squared partial output of
 * a difference d is `d^T G d`. Double precision; the twin of the compiled form.
 */
export function hostGroupErrors(x: Tensor, groupSize: number): GroupErrors {
  const [tokens, inputs] = x.shape;
  const groups = inputs / groupSize;
  const grams: Float64Array[] = [];
  for (let group = 0; group < groups; group++) {
    const gram = new Float64Array(groupSize * groupSize);
    for (let token = 0; token < tokens; token++) {
      const start = token * inputs + group * groupSize;
      for (let i = 0; i < groupSize; i++) {
        const value = x.data[start + i] / tokens;
        for (let j = 0; j < groupSize; j++) {
          gram[i * groupSize + j] += value * x.data[start + j];
        }
      }
    }
    grams.push(gram);
  }
  return async (difference) => {
    const errors = new Float32Array(difference.length / groupSize);
    for (let place = 0; place < errors.length; place++) {
      const gram = grams[place % groups];
      const start = place * groupSize;
      let error = 0;
      for (let i = 0; i < groupSize; i++) {
        let sum = 0;
        for (let j = 0; j < groupSize; j++) {
          sum += gram[i * groupSize + j] * difference[start + j];
        }
        error += sum * difference[start + i];
      }
      errors[place] = error;
    }
    return errors;
  };
}
