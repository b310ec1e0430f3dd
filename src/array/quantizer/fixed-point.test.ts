/** Fixed-point rescaling against the same definition in big integers. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  fixedPointScale,
  rescale,
  roundingRightShift,
  saturatingDoublingHighMultiply,
} from './fixed-point.ts';

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

function bigMultiply(a: number, b: number): number {
  if (a === -(2 ** 31) && b === -(2 ** 31)) return 2 ** 31 - 1;
  const product = BigInt(a) * BigInt(b);
  const nudge = product >= 0n ? 2n ** 30n : 1n - 2n ** 30n;
  return Number((product + nudge) / 2n ** 31n);
}

it('multiplies as 64-bit integers would', () => {
  fc.assert(
    fc.property(int32, int32, (a, b) => {
      expect(saturatingDoublingHighMultiply(a, b) + 0).toBe(bigMultiply(a, b));
    }),
    { numRuns: 5000 },
  );
  const edges = [-(2 ** 31), -(2 ** 30), -1, 0, 1, 2 ** 30, 2 ** 31 - 1];
  for (const a of edges) {
    for (const b of edges) {
      expect(saturatingDoublingHighMultiply(a, b) + 0).toBe(bigMultiply(a, b));
    }
  }
  expect(saturatingDoublingHighMultiply(2 ** 30, 2 ** 30)).toBe(2 ** 29);
});

it('shifts right with ties away from zero', () => {
  expect(roundingRightShift(-5, 1)).toBe(-3);
  expect(roundingRightShift(5, 1)).toBe(3);
  expect(roundingRightShift(-3, 2)).toBe(-1);
  fc.assert(
    fc.property(int32, fc.integer({ min: 0, max: 31 }), (x, exponent) => {
      const exact = x / 2 ** exponent;
      const rounded = Math.sign(exact) * Math.floor(Math.abs(exact) + 0.5);
      expect(roundingRightShift(x, exponent) + 0).toBe(rounded + 0);
    }),
    { numRuns: 2000 },
  );
});

it('rescales within one of the real product, also by 1 and more', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -(2 ** 24), max: 2 ** 24 }),
      fc.double({ min: 1e-6, max: 60, noNaN: true }),
      (x, scale) => {
        const exact = x * scale;
        expect(Math.abs(rescale(x, fixedPointScale(scale)) - exact)).toBeLessThanOrEqual(
          1 + Math.abs(exact) * 2 ** -29,
        );
      },
    ),
  );
});

it('keeps the multiplier in [2^30, 2^31) and refuses what is no positive number', () => {
  for (const scale of [1e-9, 0.25, 0.5, 1 - 2 ** -40, 1, 1.5, 1000]) {
    const { multiplier, shift } = fixedPointScale(scale);
    expect(multiplier).toBeGreaterThanOrEqual(2 ** 30);
    expect(multiplier).toBeLessThan(2 ** 31);
    expect((multiplier / 2 ** 31) * 2 ** -shift).toBeCloseTo(scale, 8);
  }
  for (const bad of [0, -1, Number.NaN, Infinity]) {
    expect(() => fixedPointScale(bad)).toThrow('scale');
  }
});

it('saturates instead of wrapping', () => {
  // The left shift stops at the largest int32, of which the mantissa 1/2 takes half.
  expect(rescale(2 ** 31 - 1, fixedPointScale(4))).toBe(2 ** 30);
  expect(rescale(-(2 ** 31), fixedPointScale(4))).toBe(-(2 ** 30));
});
