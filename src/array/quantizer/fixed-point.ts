/** Fixed-point rescaling of int32 accumulators, bit for bit as gemmlowp defines it. */

import { InvalidInputError } from '../../error.ts';

const twoTo31 = 2 ** 31;
const largest = twoTo31 - 1;
const smallest = -twoTo31;

/** `multiplier * 2^-31 * 2^-shift`; a negative shift is a left shift (scale of 1 or more). */
export interface FixedPointScale {
  /** In [2^30, 2^31). */
  readonly multiplier: number;
  readonly shift: number;
}

/** A positive real scale as a 31-bit multiplier and a right shift. Throws for 0 or less. */
export function fixedPointScale(scale: number): FixedPointScale {
  if (!(scale > 0) || !Number.isFinite(scale)) {
    throw new InvalidInputError('scale', 'a positive finite number', String(scale));
  }
  let shift = 0;
  let mantissa = scale;
  while (mantissa < 0.5) {
    mantissa *= 2;
    shift += 1;
  }
  while (mantissa >= 1) {
    mantissa /= 2;
    shift -= 1;
  }
  let multiplier = Math.round(mantissa * twoTo31);
  if (multiplier === twoTo31) {
    multiplier /= 2;
    shift -= 1;
  }
  return { multiplier, shift };
}

/**
 * Saturating rounding doubling high multiply: `(a * b * 2) >> 32` of two int32, rounded to
 * nearest. The 62-bit product is split so that every partial result is an exact double.
 */
export function saturatingDoublingHighMultiply(a: number, b: number): number {
  if (a === smallest && b === smallest) return largest;
  const high = Math.floor(b / 65536);
  const low = b - high * 65536;
  const upper = a * high;
  const lower = a * low;
  const nudge = isNegative(a, b) ? 1 - 2 ** 30 : 2 ** 30;
  const whole = Math.floor(upper / 32768);
  const rest = (upper - whole * 32768) * 65536 + lower + nudge;
  const carry = Math.floor(rest / twoTo31);
  const floor = whole + carry;
  const remainder = rest - carry * twoTo31;
  // Division truncates toward zero, so a negative quotient with a remainder moves up.
  return floor < 0 && remainder > 0 ? floor + 1 : floor;
}

function isNegative(a: number, b: number): boolean {
  return (a < 0 && b > 0) || (a > 0 && b < 0);
}

/** `x / 2^exponent` rounded to nearest, ties away from zero; x int32, exponent 0 to 31. */
export function roundingRightShift(x: number, exponent: number): number {
  if (exponent === 0) return x;
  if (exponent === 31) return x <= -(2 ** 30) ? -1 : x >= 2 ** 30 ? 1 : 0;
  const mask = 2 ** exponent - 1;
  const remainder = x & mask;
  const threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

/** An int32 accumulator times a fixed-point scale, an int32. */
export function rescale(accumulator: number, scale: FixedPointScale): number {
  if (scale.shift >= 0) {
    const product = saturatingDoublingHighMultiply(accumulator, scale.multiplier);
    return scale.shift > 31 ? 0 : roundingRightShift(product, scale.shift);
  }
  const shifted = accumulator * 2 ** -scale.shift;
  const saturated = Math.min(Math.max(shifted, smallest), largest);
  return saturatingDoublingHighMultiply(saturated, scale.multiplier);
}
