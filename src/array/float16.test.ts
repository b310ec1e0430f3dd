/** Half and bfloat16 conversions against the platform's own and against exact definitions. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bfloat16ToFloat,
  floatToBfloat16,
  floatToHalf,
  halfToFloat,
  roundToHalf,
  toFloat32,
} from './float16.ts';

function halfReference(values: Float32Array): Uint16Array {
  return new Uint16Array(new Float16Array(values).buffer);
}

/** Float32 numbers drawn by their bits, so that every exponent is as likely. */
const anyFloat = fc
  .integer({ min: 0, max: 0xffffffff })
  .map((bits) => new Float32Array(new Uint32Array([bits]).buffer)[0]!);

describe('half precision', () => {
  it('returns every finite half and infinity to its own bits', () => {
    const bits = new Uint16Array(0x10000).map((_, code) => code);
    const again = floatToHalf(halfToFloat(bits));
    for (const code of bits) {
      const isNaNCode = (code & 0x7fff) > 0x7c00;
      if (isNaNCode) expect(halfToFloat(again.subarray(code, code + 1))[0]).toBeNaN();
      else expect(again[code]).toBe(code);
    }
  });

  it('rounds halfway cases to even, at every exponent and among subnormals', () => {
    const bits = new Uint16Array(0x7c00).map((_, code) => code);
    const values = halfToFloat(bits);
    const middles = new Float32Array(0x7bff);
    for (let code = 0; code < middles.length; code++) {
      middles[code] = (values[code]! + values[code + 1]!) / 2;
    }
    const rounded = floatToHalf(middles);
    for (let code = 0; code < middles.length; code++) {
      expect(rounded[code]).toBe(code % 2 === 0 ? code : code + 1);
    }
  });

  it('agrees with the platform on random bits', () => {
    fc.assert(
      fc.property(fc.array(anyFloat, { minLength: 1, maxLength: 64 }), (numbers) => {
        const values = new Float32Array(numbers.map((n) => (Number.isNaN(n) ? 1 : n)));
        expect(floatToHalf(values)).toEqual(halfReference(values));
        expect(roundToHalf(values[0]!)).toBe(Math.f16round(values[0]!));
      }),
    );
  });

  it('overflows to infinity from 65520 on and keeps signed zeros', () => {
    const bits = floatToHalf(new Float32Array([65519.99, 65520, -1e30, 0, -0, 1e-30]));
    expect([...bits]).toEqual([0x7bff, 0x7c00, 0xfc00, 0, 0x8000, 0]);
  });
});

describe('bfloat16', () => {
  it('returns every code that is not NaN to itself', () => {
    const bits = new Uint16Array(0x10000).map((_, code) => code);
    const again = floatToBfloat16(bfloat16ToFloat(bits));
    for (const code of bits) {
      if ((code & 0x7fff) <= 0x7f80) expect(again[code]).toBe(code);
      else expect(bfloat16ToFloat(again.subarray(code, code + 1))[0]).toBeNaN();
    }
  });

  it('picks the nearest of the two neighbours, ties to even', () => {
    fc.assert(
      fc.property(anyFloat.filter(Number.isFinite), (value) => {
        const word = new Uint32Array(new Float32Array([value]).buffer)[0]!;
        const below = word >>> 16;
        const rest = word & 0xffff;
        const up = rest > 0x8000 || (rest === 0x8000 && below % 2 === 1);
        expect(floatToBfloat16(new Float32Array([value]))[0]).toBe(below + (up ? 1 : 0));
      }),
    );
  });
});

describe('toFloat32', () => {
  it('converts each type by value and refuses 64-bit integers', () => {
    const shape = [2];
    const half = {
      dtype: 'float16',
      shape,
      data: new Float16Array([1.5, -2]),
    } as const;
    expect([...toFloat32(half).data]).toEqual([1.5, -2]);
    const bits = {
      dtype: 'bfloat16',
      shape,
      data: new Uint16Array([0x3f80, 0xc000]),
    } as const;
    expect([...toFloat32(bits).data]).toEqual([1, -2]);
    const bytes = { dtype: 'int8', shape, data: new Int8Array([-1, 3]) } as const;
    expect([...toFloat32(bytes).data]).toEqual([-1, 3]);
    const wide = { dtype: 'int64', shape, data: new BigInt64Array(2) } as const;
    expect(() => toFloat32(wide, 'ids')).toThrow(/ids: expected a float/);
  });
});
