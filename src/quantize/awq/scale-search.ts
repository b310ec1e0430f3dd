/** AWQ's search for input-channel scales: salient channels are multiplied before rounding. */

import type { Grid } from '../../array/quantizer/grid.ts';
import { type Grouping, groupSizeOf, roundTrip } from '../../array/quantizer/matrix.ts';
import { largestFloat16 } from '../../array/quantizer/rounding.ts';
import type { Tensor } from '../../array/tensor.ts';
import { AssayError, throwIfCancelled } from '../../error.ts';

/** Linear layers that read the same input, and the module whose output is compared. */
export interface ScaleProblem {
  /** Parameter names of the layers, for errors. */
  readonly names: readonly string[];
  /** `[outFeatures, inFeatures]` each. */
  readonly weights: readonly Tensor[];
  /** Mean over tokens of |x|, `[inFeatures]`. */
  readonly meanMagnitude: Float32Array;
  /** The scales are kept beside the codes, in float16, and so are tried as such. */
  readonly storedAsHalves?: boolean;
  /**
   * Mean squared difference between the inspected module's output with these weights in
   * place of its layers' and with the float ones.
   */
  loss(weights: readonly Tensor[]): Promise<number>;
}

export interface ScaleChoice {
  /** Exponent of the chosen scales; 0 is plain rounding. */
  readonly alpha: number;
  readonly scales: Float32Array;
  /** Loss at every grid point; the first is plain rounding's. */
  readonly losses: readonly number[];
}

const floor = Math.fround(1e-4);

/** The exponents tried: `0, 1/points, ..., (points - 1)/points`; 1 is never tried. */
export function alphaGrid(points: number): number[] {
  return Array.from({ length: points }, (_, index) => index / points);
}

/**
 * `s = max(mean|x|^alpha, 1e-4)` divided by `sqrt(max(s) min(s))`, float32 (AWQ, section 3.2
 * and its official search). Scaling x by a positive number does not change the result.
 */
export function scalesFor(meanMagnitude: Float32Array, alpha: number): Float32Array {
  const scales = meanMagnitude.map((value) => Math.max(value ** alpha, floor));
  let low = Number.POSITIVE_INFINITY;
  let high = 0;
  for (const scale of scales) {
    if (scale < low) low = scale;
    if (scale > high) high = scale;
  }
  const middle = Math.fround(Math.sqrt(Math.fround(high * low)));
  return scales.map((scale) => scale / middle);
}

/** `Q(W * s) / s` with s along the inputs, the weights the scaled and rounded layer acts with. */
export function scaledRoundTrip(
  weight: Tensor,
  scales: Float32Array,
  grid: Grid,
  groupSize: number,
): Tensor {
  const { data } = weight;
  const inputs = scales.length;
  const output = new Float32Array(data.length);
  for (let start = 0; start < data.length; start += inputs) {
    for (let column = 0; column < inputs; column++) {
      output[start + column] = data[start + column] * scales[column];
    }
  }
  roundTrip(output, groupSize, grid, output);
  for (let start = 0; start < data.length; start += inputs) {
    for (let column = 0; column < inputs; column++) {
      output[start + column] /= scales[column];
    }
  }
  return { dtype: 'float32', shape: weight.shape, data: output };
}

/** The nearest float16 number that is neither zero, subnormal nor infinite. */
function normalHalf(scale: number): number {
  return Math.f16round(Math.min(Math.max(scale, 2 ** -14), largestFloat16));
}

/**
 * Tries every exponent and keeps the first with the strictly smallest loss.
 * Throws when no loss is finite.
 */
export async function searchScales(
  problem: ScaleProblem,
  grid: Grid,
  grouping: Grouping,
  points: number,
  signal?: AbortSignal,
): Promise<ScaleChoice> {
  const losses: number[] = [];
  let best: { alpha: number; scales: Float32Array; loss: number } | undefined;
  for (const alpha of alphaGrid(points)) {
    throwIfCancelled(signal, 'the search for scales');
    const exact = scalesFor(problem.meanMagnitude, alpha);
    const scales = problem.storedAsHalves ? exact.map(normalHalf) : exact;
    const trial = problem.weights.map((weight, index) => {
      const groupSize = groupSizeOf(grouping, weight.shape[1], problem.names[index]);
      return scaledRoundTrip(weight, scales, grid, groupSize);
    });
    const loss = await problem.loss(trial);
    losses.push(loss);
    if (Number.isFinite(loss) && (!best || loss < best.loss)) {
      best = { alpha, scales, loss };
    }
  }
  if (!best) {
    throw new AssayError(
      'invalid-input',
      `awq: no exponent gave a finite loss for ${problem.names.join(', ')}: look for NaN, ` +
        'infinite or very large weights and calibration activations',
    );
  }
  return { alpha: best.alpha, scales: best.scales, losses };
}
