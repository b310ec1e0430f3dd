/** The affine quantizer of activations: zero exactness, bounds, gradients, bias. */

import { describe, expect, it } from 'vitest';
import { createRandom } from '../random.ts';
import {
  affineCodes,
  affineValues,
  chooseAffine,
  fakeQuantize,
  fakeQuantizeGradient,
  nudgedRange,
  stochasticCodes,
} from './affine.ts';

const random = createRandom(3);

it('represents 0 exactly for 1000 random ranges', () => {
  for (let trial = 0; trial < 1000; trial++) {
    const ends = [random.normal() * 10, random.normal() * 10].sort((a, b) => a - b);
    const bits = 2 + random.integer(15);
    for (const mode of ['exact', 'gemmlowp'] as const) {
      const affine = chooseAffine(ends[0], ends[1], bits, mode);
      expect(affineValues(affineCodes([0], affine), affine)[0]).toBe(0);
      expect(fakeQuantize([0], affine)[0] + 0).toBe(0);
    }
  }
});

it('is within half a step inside the nudged range', () => {
  for (let trial = 0; trial < 200; trial++) {
    const affine = chooseAffine(-random.uniform() * 4, random.uniform() * 4, 8);
    const [low, high] = nudgedRange(affine);
    const x = Float32Array.from(
      { length: 32 },
      () => low + random.uniform() * (high - low),
    );
    const y = fakeQuantize(x, affine);
    for (let index = 0; index < x.length; index++) {
      expect(Math.abs(x[index] - y[index])).toBeLessThanOrEqual(
        affine.scale * (0.5 + 1e-4),
      );
    }
  }
});

it('rounds the zero point of [-1, 1] to 128 exactly and to 127 as gemmlowp does', () => {
  expect(chooseAffine(-1, 1, 8).zero).toBe(128);
  expect(chooseAffine(-1, 1, 8, 'gemmlowp').zero).toBe(127);
});

it('gives an empty range scale 1 and zero 0', () => {
  expect(chooseAffine(0, 0, 8)).toEqual({ scale: 1, zero: 0, lowest: 0, highest: 255 });
});

it('refuses bounds that are not finite and impossible bits', () => {
  expect(() => chooseAffine(Number.NaN, 1, 8)).toThrow('range');
  expect(() => chooseAffine(0, Infinity, 8)).toThrow('range');
  expect(() => chooseAffine(0, 1, 17)).toThrow('bits');
});

describe('the straight-through gradient', () => {
  const affine = { scale: 0.5, zero: 4, lowest: 0, highest: 15 };
  it('passes at both ends of the nudged range and nowhere beyond', () => {
    const [low, high] = nudgedRange(affine);
    expect([low, high]).toEqual([-2, 5.5]);
    const beyond = 1e-4;
    const x = [low - beyond, low, 0, high, high + beyond];
    expect([...fakeQuantizeGradient(x, [1, 2, 3, 4, 5], affine)]).toEqual([
      0, 2, 3, 4, 0,
    ]);
  });
});

it('is unbiased with random rounding (10,000 draws, 3 sigma)', () => {
  const affine = chooseAffine(-1, 1, 4);
  const draws = 10_000;
  for (const value of [-0.71, -0.2, 0.013, 0.5, 0.86]) {
    const codes = stochasticCodes(
      new Float32Array(draws).fill(value),
      affine,
      random.uniform,
    );
    const mean = affineValues(codes, affine).reduce((sum, x) => sum + x, 0) / draws;
    const deviation = affine.scale / 2 / Math.sqrt(draws);
    expect(Math.abs(mean - value)).toBeLessThan(3 * deviation + 1e-6);
  }
});
