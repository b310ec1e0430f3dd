/** The affine quantizer of activations: one scale and zero point for a tensor. */

import { InvalidInputError } from '../../error.ts';
import {
  type Rounding,
  roundHalfAway,
  roundHalfEven,
  roundingFunction,
} from './rounding.ts';

/** Real value of code q is `(q - zero) * scale`, q in [lowest, highest]. */
export interface Affine {
  readonly scale: number;
  readonly zero: number;
  readonly lowest: number;
  readonly highest: number;
}

/**
 * Parameters for a range (integer-quantization whitepaper, section 2.1), which is widened to
 * hold 0; real 0 falls on `zero` exactly. `exact` computes in double precision; `gemmlowp`
 * first rounds the scale to float32, as gemmlowp's example does ([-1, 1] at 8 bits: 127, not
 * 128). Throws for bits outside 2..16 and for bounds that are not finite.
 */
export function chooseAffine(
  low: number,
  high: number,
  bits: number,
  mode: 'exact' | 'gemmlowp' = 'exact',
): Affine {
  if (!Number.isInteger(bits) || bits < 2 || bits > 16) {
    throw new InvalidInputError('bits', 'an integer from 2 to 16', String(bits));
  }
  if (!Number.isFinite(low) || !Number.isFinite(high)) {
    throw new InvalidInputError('range', 'finite bounds', `[${low}, ${high}]`);
  }
  const highest = 2 ** bits - 1;
  const bottom = Math.min(low, 0);
  const top = Math.max(high, 0);
  const width =
    mode === 'gemmlowp'
      ? Math.fround(Math.fround(top) - Math.fround(bottom))
      : top - bottom;
  if (width === 0) return { scale: 1, zero: 0, lowest: 0, highest };
  const scale = mode === 'gemmlowp' ? Math.fround(width / highest) : width / highest;
  if (scale === 0) return { scale: 1, zero: 0, lowest: 0, highest };
  const zero = Math.min(Math.max(roundHalfAway(-bottom / scale), 0), highest);
  return { scale, zero, lowest: 0, highest };
}

/** Codes of reals: `round(clamp(zero + x / scale))`, ties away from zero by default. */
export function affineCodes(
  values: ArrayLike<number>,
  { scale, zero, lowest, highest }: Affine,
  rounding: Rounding = 'half-away',
): Int32Array {
  const round = roundingFunction(rounding);
  const codes = new Int32Array(values.length);
  for (let index = 0; index < codes.length; index++) {
    const steps = Math.fround(zero + Math.fround(values[index] / scale));
    codes[index] = round(Math.min(Math.max(steps, lowest), highest));
  }
  return codes;
}

/** Reals of codes, float32. */
export function affineValues(codes: ArrayLike<number>, affine: Affine): Float32Array {
  const values = new Float32Array(codes.length);
  for (let index = 0; index < values.length; index++) {
    values[index] = (codes[index] - affine.zero) * affine.scale;
  }
  return values;
}

/** Reals at the ends of the grid: the range after its zero point was rounded. */
export function nudgedRange(affine: Affine): readonly [low: number, high: number] {
  return [
    Math.fround((affine.lowest - affine.zero) * affine.scale),
    Math.fround((affine.highest - affine.zero) * affine.scale),
  ];
}

/** Fake quantization: values put on the grid and back, in float32. */
export function fakeQuantize(
  values: ArrayLike<number>,
  affine: Affine,
  rounding: Rounding = 'half-away',
): Float32Array {
  const { scale, zero, lowest, highest } = affine;
  const round = roundingFunction(rounding);
  const output = new Float32Array(values.length);
  for (let index = 0; index < output.length; index++) {
    const code = round(Math.fround(values[index] / scale)) + zero;
    output[index] = (Math.min(Math.max(code, lowest), highest) - zero) * scale;
  }
  return output;
}

/**
 * Gradient of `fakeQuantize` by the straight-through estimator: passed on inside, 0 outside.
 * - `nudged-range`: inside is the nudged range, both ends included (whitepaper, section 2.4;
 *   TensorFlow).
 * - `codes`: inside is wherever rounding (ties to even) alone gives a code of the grid, half a
 *   step wider (torch).
 */
export function fakeQuantizeGradient(
  values: ArrayLike<number>,
  gradient: ArrayLike<number>,
  affine: Affine,
  inside: 'nudged-range' | 'codes' = 'nudged-range',
): Float32Array {
  const { scale, zero, lowest, highest } = affine;
  const [low, high] = nudgedRange(affine);
  const output = new Float32Array(values.length);
  for (let index = 0; index < output.length; index++) {
    const value = values[index];
    const code = roundHalfEven(Math.fround(value / scale)) + zero;
    const passes =
      inside === 'codes'
        ? code >= lowest && code <= highest
        : value >= low && value <= high;
    output[index] = passes ? gradient[index] : 0;
  }
  return output;
}

/**
 * Codes with random rounding, `round(x / scale + e) + zero` with e uniform in [-1/2, 1/2):
 * unbiased inside the range. For training experiments only (whitepaper, section 2.3).
 */
export function stochasticCodes(
  values: ArrayLike<number>,
  { scale, zero, lowest, highest }: Affine,
  uniform: () => number,
): Int32Array {
  const codes = new Int32Array(values.length);
  for (let index = 0; index < codes.length; index++) {
    // floor(x + u), u in [0, 1), is round(x + e) without its bias on ties.
    const code = Math.floor(values[index] / scale + uniform()) + zero;
    codes[index] = Math.min(Math.max(code, lowest), highest);
  }
  return codes;
}
