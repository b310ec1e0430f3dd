/** Seeded random numbers for host code: the same seed gives the same stream on every machine. */

import { InvalidInputError } from '../error.ts';

/** A stream of random numbers (xoshiro128**, Blackman and Vigna 2018). */
export interface Random {
  /** A uniform 32-bit unsigned integer. */
  bits(): number;
  /** A uniform number in [0, 1) with 53 random bits. */
  uniform(): number;
  /** A standard normal number. */
  normal(): number;
  /** A uniform integer in [0, bound), without bias. Throws `InvalidInputError` for a bad bound. */
  integer(bound: number): number;
  /** Puts the elements in a uniformly random order, in place, and returns the same array. */
  shuffle<T extends { length: number; [index: number]: unknown }>(items: T): T;
}

/** The finaliser of MurmurHash3: every input bit changes every output bit. */
function mix(word: number): number {
  let mixed = word >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function checkSeed(seed: number): void {
  if (!Number.isSafeInteger(seed)) {
    throw new InvalidInputError('seed', 'a safe integer', String(seed));
  }
}

/**
 * A new seed for one purpose ('shuffle', 'init', ...), so that adding draws to one purpose
 * leaves the others' streams unchanged. The result is an integer below 2^53.
 */
export function splitRandom(seed: number, purpose: string): number {
  checkSeed(seed);
  let low = mix(seed >>> 0);
  let high = mix(Math.floor(seed / 0x100000000) ^ 0x9e3779b9);
  for (let index = 0; index < purpose.length; index++) {
    low = mix(low ^ purpose.charCodeAt(index));
    high = mix(high + low + index);
  }
  return (high & 0x1fffff) * 0x100000000 + low;
}

/** A stream for a seed: any safe integer, negative ones too. */
export function createRandom(seed: number): Random {
  checkSeed(seed);
  let counter = seed >>> 0;
  const high = Math.floor(seed / 0x100000000) >>> 0;
  const next = (): number => {
    counter = (counter + 0x9e3779b9) >>> 0;
    return mix(counter ^ mix(high ^ counter));
  };
  let [a, b, c, d] = [next(), next(), next(), next()];
  if ((a | b | c | d) === 0) a = 1;
  let spare: number | undefined;

  const bits = (): number => {
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result;
  };
  const uniform = (): number =>
    ((bits() >>> 5) * 0x4000000 + (bits() >>> 6)) / 0x20000000000000;
  const normal = (): number => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    // Marsaglia's polar method: a point in the unit disc gives two normals.
    for (;;) {
      const x = 2 * uniform() - 1;
      const y = 2 * uniform() - 1;
      const square = x * x + y * y;
      if (square > 0 && square < 1) {
        const scale = Math.sqrt((-2 * Math.log(square)) / square);
        spare = y * scale;
        return x * scale;
      }
    }
  };
  const integer = (bound: number): number => {
    if (!Number.isSafeInteger(bound) || bound < 1) {
      throw new InvalidInputError('bound', 'a positive safe integer', String(bound));
    }
    if (bound > 0x100000000) return Math.floor(uniform() * bound);
    // Numbers past the last full multiple of the bound would favour small results.
    const limit = 0x100000000 - (0x100000000 % bound);
    for (;;) {
      const draw = bits();
      if (draw < limit) return draw % bound;
    }
  };
  return {
    bits,
    uniform,
    normal,
    integer,
    shuffle(items) {
      for (let last = items.length - 1; last > 0; last--) {
        const other = integer(last + 1);
        const held = items[last];
        (items as { [index: number]: unknown })[last] = items[other];
        (items as { [index: number]: unknown })[other] = held;
      }
      return items;
    },
  };
}
