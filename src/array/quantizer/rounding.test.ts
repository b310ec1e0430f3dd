/** Both roundings against their definitions, ties and edges included. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { roundHalfAway, roundHalfEven } from './rounding.ts';

it('sends ties to the even integer or away from zero', () => {
  const ties = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 126.5, 127.5];
  expect(ties.map((x) => roundHalfEven(x) + 0)).toEqual([-2, -2, 0, 0, 2, 2, 126, 128]);
  expect(ties.map(roundHalfAway)).toEqual([-3, -2, -1, 1, 2, 3, 127, 128]);
});

it('is not fooled by the largest double below one half', () => {
  const almost = 0.49999999999999994;
  expect(roundHalfEven(almost)).toBe(0);
  expect(roundHalfAway(almost)).toBe(0);
});

it('passes on numbers that are no finite doubles with a fraction', () => {
  for (const value of [Number.NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 60)]) {
    expect(roundHalfEven(value)).toBe(value);
    expect(roundHalfAway(value)).toBe(value);
  }
});

it('is within one half of the value and an integer', () => {
  fc.assert(
    fc.property(fc.double({ min: -1e9, max: 1e9, noNaN: true }), (x) => {
      for (const rounded of [roundHalfEven(x), roundHalfAway(x)]) {
        expect(Number.isInteger(rounded)).toBe(true);
        expect(Math.abs(rounded - x)).toBeLessThanOrEqual(0.5);
      }
    }),
  );
});
