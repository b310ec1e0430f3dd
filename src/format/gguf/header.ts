/** Parses the head of a GGUF file: metadata and where the tensors lie. Bounds everywhere. */

import type { Shape } from '../../array/tensor.ts';
import { InvalidFileError } from '../../error.ts';
import {
  aligned,
  defaultAlignment,
  type GgufArray,
  type GgufNumberType,
  type GgufTensorType,
  type GgufValue,
  type GgufValueType,
  magic,
  maximumAlignment,
  maximumDimensions,
  maximumNameBytes,
  tensorByteLength,
  tensorTypes,
  valueBytes,
  valueTypeCodes,
} from './types.ts';

export interface GgufTensorEntry {
  readonly name: string;
  readonly type: GgufTensorType;
  readonly shape: Shape;
  /** From the start of the file. */
  readonly begin: number;
  readonly byteLength: number;
}

export interface GgufHeader {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensorEntry[];
}

/** Thrown when the bytes given end inside of the head: read more and parse again. */
export class HeadTruncated extends Error {}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const maximumStringBytes = 16 * 1024 * 1024;
const maximumKeys = 100_000;
const maximumTensors = 1_000_000;
const maximumArrayItems = 16 * 1024 * 1024;
const maximumArrayDepth = 4;

const typesByCode: ReadonlyMap<number, GgufTensorType> = new Map(
  Object.entries(tensorTypes).map(([name, { code }]) => [code, name as GgufTensorType]),
);
const valueTypesByCode = new Map(
  Object.entries(valueTypeCodes).map(([name, code]) => [
    code as number,
    name as GgufValueType,
  ]),
);

/**
 * Parses the head from the first bytes of a file of `fileSize` bytes.
 *
 * @throws HeadTruncated when `bytes` are too few, InvalidFileError when the file is wrong:
 * unknown version or types, counts or lengths beyond the file, a key or name twice, more
 * than 4 dimensions, tensors that do not lie end to end or leave the file.
 */
export function parseGgufHeader(
  bytes: Uint8Array,
  file: string,
  fileSize: number,
): GgufHeader {
  const cursor = new Cursor(bytes, file, fileSize);
  const letters = Buffer.from(cursor.take(4, 'magic')).toString('latin1');
  if (letters !== magic) cursor.fail('magic', magic, JSON.stringify(letters), 0);
  const version = cursor.uint32('version');
  if (version !== 2 && version !== 3) {
    cursor.fail('version', '2 or 3, little-endian', `${version}`, 4);
  }
  // A tensor takes at least 32 bytes in the head, a key at least 13.
  const tensorCount = cursor.count('tensor count', 32, maximumTensors);
  const keyCount = cursor.count('key count', 13, maximumKeys);
  const metadata = new Map<string, GgufValue>();
  for (let index = 0; index < keyCount; index++) {
    const key = cursor.string(`key ${index}`, 65535);
    if (key === '' || metadata.has(key)) {
      cursor.fail(`key ${index}`, 'a new name', JSON.stringify(key));
    }
    metadata.set(key, readValue(cursor, key, readType(cursor, key)));
  }
  const alignment = readAlignment(cursor, metadata.get('general.alignment'));
  const described: Omit<GgufTensorEntry, 'begin'>[] = [];
  const names = new Set<string>();
  let offset = 0;
  for (let index = 0; index < tensorCount; index++) {
    const entry = readTensor(cursor, index, offset);
    if (names.has(entry.name)) {
      cursor.fail(`tensor ${index}`, 'a new name', JSON.stringify(entry.name));
    }
    names.add(entry.name);
    described.push(entry);
    offset = aligned(offset + entry.byteLength, alignment);
  }
  return placeTensors(cursor, version, metadata, described, alignment);
}

function placeTensors(
  cursor: Cursor,
  version: number,
  metadata: ReadonlyMap<string, GgufValue>,
  described: readonly Omit<GgufTensorEntry, 'begin'>[],
  alignment: number,
): GgufHeader {
  let position = aligned(cursor.position, alignment);
  let end = cursor.position;
  const tensors: GgufTensorEntry[] = [];
  for (const entry of described) {
    tensors.push({ ...entry, begin: position });
    end = position + entry.byteLength;
    position = aligned(end, alignment);
    if (end > cursor.fileSize) {
      const received = `${cursor.fileSize}: the file is truncated`;
      cursor.fail(`tensor "${entry.name}"`, `a file of at least ${end} bytes`, received);
    }
  }
  // The last tensor's padding may be there or not.
  if (cursor.fileSize > aligned(end, alignment)) {
    cursor.fail('file', `${aligned(end, alignment)} bytes`, `${cursor.fileSize}`);
  }
  return { version, metadata, tensors };
}

function readTensor(
  cursor: Cursor,
  index: number,
  offset: number,
): Omit<GgufTensorEntry, 'begin'> {
  const name = cursor.string(`tensor ${index} name`, maximumNameBytes);
  const field = `tensor ${JSON.stringify(name)}`;
  const dimensions = cursor.uint32(field);
  if (dimensions < 1 || dimensions > maximumDimensions) {
    cursor.fail(field, `1 to ${maximumDimensions} dimensions`, `${dimensions}`);
  }
  const shape: number[] = [];
  for (let axis = 0; axis < dimensions; axis++) {
    const size = cursor.uint64(field);
    if (size < 1n || size > BigInt(Number.MAX_SAFE_INTEGER)) {
      cursor.fail(field, 'sizes from 1 to 2^53', `${size}`);
    }
    shape.unshift(Number(size));
  }
  const code = cursor.uint32(field);
  const type = typesByCode.get(code);
  if (!type) {
    const expected = `a type among ${Object.keys(tensorTypes).join(' ')}`;
    return cursor.fail(field, expected, `type ${code}`);
  }
  const byteLength = tensorByteLength(type, shape);
  if (byteLength === null) {
    const expected = `rows of whole ${type} blocks, below 2^53 bytes`;
    return cursor.fail(field, expected, `[${shape.join(', ')}]`);
  }
  const stated = cursor.uint64(field);
  if (stated !== BigInt(offset)) cursor.fail(field, `offset ${offset}`, `${stated}`);
  return { name, type, shape, byteLength };
}

function readAlignment(cursor: Cursor, value: GgufValue | undefined): number {
  if (!value) return defaultAlignment;
  const alignment = value.type === 'uint32' ? value.value : 0;
  const power = alignment > 0 && (alignment & (alignment - 1)) === 0;
  if (!power || alignment < 8 || alignment > maximumAlignment) {
    const expected = `a uint32 power of two from 8 to ${maximumAlignment}`;
    cursor.fail('general.alignment', expected, `${value.type} ${String(value.value)}`);
  }
  return alignment;
}

function readType(cursor: Cursor, key: string): GgufValueType {
  const code = cursor.uint32(key);
  return valueTypesByCode.get(code) ?? cursor.fail(key, 'a value type', `${code}`);
}

function readValue(
  cursor: Cursor,
  key: string,
  type: GgufValueType,
  depth = 0,
): GgufValue {
  switch (type) {
    case 'string':
      return { type, value: cursor.string(key, maximumStringBytes) };
    case 'bool':
      return { type, value: cursor.bool(key) };
    case 'uint64':
      return { type, value: cursor.uint64(key) };
    case 'int64':
      return { type, value: BigInt.asIntN(64, cursor.uint64(key)) };
    case 'array':
      return readArray(cursor, key, depth + 1);
    default:
      return { type, value: cursor.number(type, key) };
  }
}

function readArray(cursor: Cursor, key: string, depth: number): GgufArray {
  if (depth > maximumArrayDepth) {
    cursor.fail(key, `at most ${maximumArrayDepth} nested arrays`, 'more');
  }
  const type = readType(cursor, key);
  // The smallest string is its length, the smallest array its type and length.
  const least = type === 'string' ? 8 : type === 'array' ? 12 : valueBytes[type]!;
  const count = cursor.count(key, least, maximumArrayItems);
  // Asked for before anything is allocated for the items.
  cursor.need(count * least);
  const items = <T>(read: () => T): T[] => Array.from({ length: count }, read);
  switch (type) {
    case 'string':
      return {
        type: 'array',
        of: type,
        value: items(() => cursor.string(key, maximumStringBytes)),
      };
    case 'bool':
      return { type: 'array', of: type, value: items(() => cursor.bool(key)) };
    case 'array':
      return {
        type: 'array',
        of: type,
        value: items(() => readArray(cursor, key, depth + 1)),
      };
    case 'uint64':
      return {
        type: 'array',
        of: type,
        value: BigUint64Array.from(items(() => cursor.uint64(key))),
      };
    case 'int64': {
      const value = items(() => BigInt.asIntN(64, cursor.uint64(key)));
      return { type: 'array', of: type, value: BigInt64Array.from(value) };
    }
    default: {
      const value = new numberArrays[type](count);
      for (let index = 0; index < count; index++) value[index] = cursor.number(type, key);
      return { type: 'array', of: type, value };
    }
  }
}

const numberArrays = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

const numberReaders = {
  uint8: 'getUint8',
  int8: 'getInt8',
  uint16: 'getUint16',
  int16: 'getInt16',
  uint32: 'getUint32',
  int32: 'getInt32',
  float32: 'getFloat32',
  float64: 'getFloat64',
} as const;

/** Reads little-endian values, first checking that file and buffer reach that far. */
class Cursor {
  position = 0;
  readonly fileSize: number;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly file: string;

  constructor(bytes: Uint8Array, file: string, fileSize: number) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.file = file;
    this.fileSize = fileSize;
  }

  fail(field: string, expected: string, received: string, at = this.position): never {
    throw new InvalidFileError(this.file, field, expected, received, at);
  }

  need(length: number, field = 'head'): void {
    if (this.position + length > this.fileSize) {
      const left = this.fileSize - this.position;
      this.fail(field, `${length} more bytes`, `${left}: the file is truncated`);
    }
    if (this.position + length > this.bytes.length) throw new HeadTruncated();
  }

  take(length: number, field: string): Uint8Array {
    this.need(length, field);
    this.position += length;
    return this.bytes.subarray(this.position - length, this.position);
  }

  number(type: GgufNumberType, field: string): number {
    const length = valueBytes[type]!;
    this.need(length, field);
    const value = this.view[numberReaders[type]](this.position, true);
    this.position += length;
    return value;
  }

  uint32(field: string): number {
    return this.number('uint32', field);
  }

  uint64(field: string): bigint {
    this.need(8, field);
    const value = this.view.getBigUint64(this.position, true);
    this.position += 8;
    return value;
  }

  bool(field: string): boolean {
    const byte = this.number('uint8', field);
    if (byte > 1) this.fail(field, '0 or 1', `${byte}`, this.position - 1);
    return byte === 1;
  }

  /** A count of things that take at least `each` bytes: no more than the file can hold. */
  count(field: string, each: number, limit: number): number {
    const count = this.uint64(field);
    const room = Math.min(limit, Math.floor((this.fileSize - this.position) / each));
    if (count > BigInt(room)) this.fail(field, `at most ${room}`, `${count}`);
    return Number(count);
  }

  string(field: string, longest: number): string {
    const length = this.count(`${field} length`, 1, longest);
    const bytes = this.take(length, field);
    try {
      return decoder.decode(bytes);
    } catch {
      return this.fail(field, 'UTF-8 text', 'other bytes', this.position - length);
    }
  }
}
