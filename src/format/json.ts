/** Strict JSON: objects as maps, duplicate keys refused, depth bounded, nothing on a prototype. */

import { InvalidFileError } from '../error.ts';

export type JsonObject = ReadonlyMap<string, JsonValue>;
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | JsonObject;

const maximumDepth = 64;
const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const quote = 0x22;
const backslash = 0x5c;
const spacePattern = /[ \t\n\r]*/y;

/**
 * Parses JSON text. Unlike `JSON.parse` it refuses an object that names a key twice and
 * returns maps, so that a key such as `__proto__` is a key and nothing else.
 *
 * @throws InvalidFileError naming `file`, `field` and the character where parsing stopped.
 */
export function parseStrictJson(text: string, file: string, field: string): JsonValue {
  let position = 0;

  const fail = (expected: string): never => {
    const rest = text.slice(position, position + 20);
    const received = rest === '' ? 'the end of the text' : JSON.stringify(rest);
    throw new InvalidFileError(
      file,
      field,
      `${expected} at character ${position}`,
      received,
    );
  };
  const skipSpace = (): void => {
    spacePattern.lastIndex = position;
    spacePattern.test(text);
    position = spacePattern.lastIndex;
  };
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = position;
    const found = pattern.exec(text);
    if (!found) return null;
    position = pattern.lastIndex;
    return found[0];
  };
  const take = (character: string): boolean => {
    if (text[position] !== character) return false;
    position++;
    return true;
  };

  const parseString = (): string => {
    const start = position;
    if (!take('"')) return fail('a string');
    let plain = true;
    for (; ; position++) {
      const code = text.charCodeAt(position);
      if (code === quote) break;
      if (code === backslash) {
        plain = false;
        position++;
      } else if (!(code >= 0x20)) {
        return fail('the end of a string');
      }
    }
    position++;
    if (plain) return text.slice(start + 1, position - 1);
    try {
      return JSON.parse(text.slice(start, position)) as string;
    } catch {
      position = start;
      return fail('a string with valid escapes');
    }
  };

  const parseObject = (depth: number): JsonObject => {
    const object = new Map<string, JsonValue>();
    skipSpace();
    if (take('}')) return object;
    for (;;) {
      skipSpace();
      const start = position;
      const key = parseString();
      if (object.has(key)) {
        position = start;
        return fail('a key that has not occurred before');
      }
      skipSpace();
      if (!take(':')) fail('":"');
      object.set(key, parseValue(depth + 1));
      skipSpace();
      if (take('}')) return object;
      if (!take(',')) fail('"," or "}"');
    }
  };

  const parseArray = (depth: number): JsonValue[] => {
    const array: JsonValue[] = [];
    skipSpace();
    if (take(']')) return array;
    for (;;) {
      array.push(parseValue(depth + 1));
      skipSpace();
      if (take(']')) return array;
      if (!take(',')) fail('"," or "]"');
    }
  };

  const parseValue = (depth: number): JsonValue => {
    if (depth > maximumDepth) fail(`at most ${maximumDepth} nested values`);
    skipSpace();
    if (take('{')) return parseObject(depth);
    if (take('[')) return parseArray(depth);
    if (text[position] === '"') return parseString();
    for (const [word, value] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (text.startsWith(word, position)) {
        position += word.length;
        return value;
      }
    }
    const number = match(numberPattern);
    return number === null ? fail('a value') : Number(number);
  };

  const value = parseValue(0);
  skipSpace();
  if (position < text.length) fail('the end of the text');
  return value;
}

/** Whether a parsed value is an object. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return value instanceof Map;
}
