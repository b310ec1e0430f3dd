/** Tests of canonical JSON and fingerprints. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, fingerprint } from './fingerprint.ts';

describe('canonicalJson', () => {
  it('does not depend on the order of keys and skips undefined', () => {
    expect(canonicalJson({ b: [1, null], a: 'x', c: undefined })).toBe(
      '{"a":"x","b":[1,null]}',
    );
    expect(fingerprint({ a: 1, b: 2 })).toBe(fingerprint({ b: 2, a: 1 }));
    expect(fingerprint({ a: 1 })).not.toBe(fingerprint({ a: '1' }));
  });

  it('parses back to the value it came from', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        // -0 is written as 0, as JSON.stringify does.
        const plain = JSON.parse(JSON.stringify(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(plain);
      }),
      { numRuns: 200 },
    );
  });

  it('refuses what JSON cannot hold', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1n, () => 1, new Map()]) {
      expect(() => canonicalJson({ value })).toThrow(TypeError);
    }
  });
});
