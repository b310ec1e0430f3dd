import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidFileError } from '../error.ts';
import { type JsonValue, parseStrictJson } from './json.ts';

const parse = (text: string): JsonValue => parseStrictJson(text, 'f', 'header');

function plain(value: JsonValue): unknown {
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]));
  }
  return Array.isArray(value) ? value.map(plain) : value;
}

describe('parseStrictJson', () => {
  it('agrees with JSON.parse on any JSON', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), (text) => {
        expect(plain(parse(text))).toEqual(JSON.parse(text));
      }),
      { numRuns: 500, seed: 1 },
    );
    expect(plain(parse(' {"a\\n\\u00e9": [1, -2.5e3, true, null, "\\""]} '))).toEqual({
      'a\né': [1, -2500, true, null, '"'],
    });
  });

  it('refuses whatever JSON.parse refuses', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 2 }), fc.nat(), fc.string(), (text, at, insert) => {
        const place = at % (text.length + 1);
        const damaged = text.slice(0, place) + insert + text.slice(place + 1);
        let valid = true;
        try {
          JSON.parse(damaged);
        } catch {
          valid = false;
        }
        if (!valid) expect(() => parse(damaged)).toThrow(InvalidFileError);
      }),
      { numRuns: 1000, seed: 2 },
    );
  });

  it('refuses a key twice and deep nesting', () => {
    expect(() => parse('{"a":1,"b":2,"a":3}')).toThrow(/not occurred before/);
    expect(() => parse('{"a":1,"\\u0061":3}')).toThrow(/not occurred before/);
    expect(() => parse('['.repeat(100_000))).toThrow(/nested/);
  });

  it('keeps __proto__ as a plain key', () => {
    const value = parse('{"__proto__":{"polluted":true}}') as Map<string, JsonValue>;
    expect([...value.keys()]).toEqual(['__proto__']);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});
