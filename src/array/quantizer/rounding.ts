/** The two roundings that quantizers disagree on, by name. `Math.round` is neither. */

export type Rounding = 'half-even' | 'half-away';

/** Adding and subtracting 1.5 * 2^52 lets the hardware round a double to an integer. */
const shiftToInteger = 6755399441055744;
const exactBelow = 2 ** 51;

/** Nearest integer, ties to the even one (IEEE default; numpy, torch, ONNX `Round`). */
export function roundHalfEven(value: number): number {
  if (!(Math.abs(value) < exactBelow)) return value;
  return value + shiftToInteger - shiftToInteger;
}

/** Nearest integer, ties away from zero (C `std::round`; gemmlowp, TensorFlow Lite). */
export function roundHalfAway(value: number): number {
  const whole = Math.trunc(value);
  return Math.abs(value - whole) >= 0.5 ? whole + Math.sign(value) : whole;
}

export function roundingFunction(rounding: Rounding): (value: number) => number {
  return rounding === 'half-even' ? roundHalfEven : roundHalfAway;
}

/** Smallest positive float16 (subnormal) and the largest finite one. */
export const smallestFloat16 = 2 ** -24;
export const largestFloat16 = 65504;
