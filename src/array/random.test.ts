/** The seeded generator: repeatable streams, moments, uniformity, independence of purposes. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRandom, splitRandom } from './random.ts';

describe('createRandom', () => {
  it('repeats its stream for a seed and differs between seeds', () => {
    const draw = (seed: number) => Array.from({ length: 8 }, createRandom(seed).bits);
    expect(draw(7)).toEqual(draw(7));
    const firsts = new Set(Array.from({ length: 5000 }, (_, seed) => draw(seed)[0]));
    expect(firsts.size).toBeGreaterThan(4990);
    expect(draw(1)).not.toEqual(draw(1 + 2 ** 32));
    expect(draw(-1)).not.toEqual(draw(1));
  });

  it('has uniform numbers with the right mean, variance and no serial correlation', () => {
    const random = createRandom(11);
    const count = 200_000;
    let sum = 0;
    let squares = 0;
    let products = 0;
    let previous = 0.5;
    for (let index = 0; index < count; index++) {
      const value = random.uniform();
      expect(value >= 0 && value < 1).toBe(true);
      sum += value;
      squares += value * value;
      products += (value - 0.5) * (previous - 0.5);
      previous = value;
    }
    const mean = sum / count;
    expect(Math.abs(mean - 0.5)).toBeLessThan(4 * Math.sqrt(1 / 12 / count));
    expect(Math.abs(squares / count - mean ** 2 - 1 / 12)).toBeLessThan(1e-3);
    expect(Math.abs(products / count)).toBeLessThan((4 / 12) * Math.sqrt(1 / count));
  });

  it('has normal numbers with the right first four moments', () => {
    const random = createRandom(12);
    const count = 200_000;
    const moments = [0, 0, 0, 0];
    for (let index = 0; index < count; index++) {
      const value = random.normal();
      for (let power = 0; power < 4; power++) moments[power]! += value ** (power + 1);
    }
    const [first, second, third, fourth] = moments.map((moment) => moment / count);
    expect(Math.abs(first!)).toBeLessThan(4 / Math.sqrt(count));
    expect(Math.abs(second! - 1)).toBeLessThan(4 * Math.sqrt(2 / count));
    expect(Math.abs(third!)).toBeLessThan(4 * Math.sqrt(15 / count));
    expect(Math.abs(fourth! - 3)).toBeLessThan(4 * Math.sqrt(96 / count));
  });

  it('has integers that fill their range evenly (chi-square)', () => {
    const random = createRandom(13);
    const bins = new Array<number>(7).fill(0);
    for (let index = 0; index < 70_000; index++) bins[random.integer(7)]!++;
    const chiSquare = bins.reduce((sum, bin) => sum + (bin - 10_000) ** 2 / 10_000, 0);
    expect(chiSquare).toBeLessThan(22.5);
    expect(() => random.integer(0)).toThrow(/bound: expected a positive/);
  });

  it('shuffles into every order equally often', () => {
    const random = createRandom(14);
    const counts = new Map<string, number>();
    for (let index = 0; index < 24_000; index++) {
      const order = random.shuffle([0, 1, 2, 3]).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    const chiSquare = [...counts.values()].reduce(
      (s, n) => s + (n - 1000) ** 2 / 1000,
      0,
    );
    expect(chiSquare).toBeLessThan(49.7);
  });
});

describe('splitRandom', () => {
  it('gives a different safe seed for each purpose and seed', () => {
    const seeds = new Set<number>();
    for (let seed = 0; seed < 300; seed++) {
      for (const purpose of ['init', 'shuffle', 'shuffle2', '', 'tini']) {
        seeds.add(splitRandom(seed, purpose));
      }
    }
    expect(seeds.size).toBe(1500);
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.string(), (seed, purpose) => {
        const split = splitRandom(seed, purpose);
        expect(Number.isSafeInteger(split) && split >= 0).toBe(true);
        expect(splitRandom(seed, purpose)).toBe(split);
      }),
    );
    expect(() => splitRandom(0.5, 'x')).toThrow(/seed: expected a safe integer/);
  });
});
