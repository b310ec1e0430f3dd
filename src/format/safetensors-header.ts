/** The header of a safetensors file: strict parsing and deterministic writing. */

import { bytesPerElement, type DataType, type Shape } from '../array/tensor.ts';
import { InvalidFileError } from '../error.ts';
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseStrictJson,
} from './json.ts';

/** One tensor of a file: `begin` counts from the first byte after the header. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: Shape;
  readonly begin: number;
  readonly byteLength: number;
}

export interface SafetensorsHeader {
  /** In the order of their bytes in the file. */
  readonly entries: readonly TensorEntry[];
  readonly metadata: ReadonlyMap<string, string>;
}

/** The format's own limit on the header, 100 MB. */
export const maximumHeaderBytes = 100_000_000;

/** Bytes of the length field before the header. */
export const lengthFieldBytes = 8;

const typeNames = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint64: 'U64',
  uint32: 'U32',
  uint16: 'U16',
  uint8: 'U8',
  bool: 'BOOL',
} as const satisfies Record<DataType, string>;

const typesByName: ReadonlyMap<string, DataType> = new Map(
  Object.entries(typeNames).map(([dtype, name]) => [name, dtype as DataType]),
);

/**
 * Reads the header's length field.
 * @throws InvalidFileError when it is over 100 MB or does not fit into the file.
 */
export function headerLength(field: Uint8Array, file: string, fileSize: number): number {
  const view = new DataView(field.buffer, field.byteOffset, field.byteLength);
  const length = view.getBigUint64(0, true);
  const room = Math.min(maximumHeaderBytes, fileSize - lengthFieldBytes);
  if (length < 2n || length > BigInt(room)) {
    const expected = `2 to ${room} bytes (the file has ${fileSize})`;
    throw new InvalidFileError(file, 'header length', expected, String(length), 0);
  }
  return Number(length);
}

/**
 * Parses and checks a header: known types, `__metadata__` of strings, and byte ranges that
 * cover the `dataBytes` after the header with no hole and no overlap.
 */
export function parseHeader(
  bytes: Uint8Array,
  file: string,
  dataBytes: number,
): SafetensorsHeader {
  if (bytes[0] !== 0x7b) {
    const received = `byte 0x${(bytes[0] ?? 0).toString(16).padStart(2, '0')}`;
    throw new InvalidFileError(file, 'header', '"{" as its first byte', received, 8);
  }
  const root = parseStrictJson(decodeText(bytes, file), file, 'header');
  if (!isJsonObject(root))
    throw new InvalidFileError(file, 'header', 'an object', 'another value');
  let metadata: ReadonlyMap<string, string> = new Map();
  const entries: TensorEntry[] = [];
  for (const [name, value] of root) {
    if (name === '__metadata__') metadata = parseMetadata(value, file);
    else entries.push(parseEntry(name, value, file));
  }
  entries.sort((a, b) => a.begin - b.begin || a.byteLength - b.byteLength);
  checkCover(entries, file, dataBytes);
  return { entries, metadata };
}

/** Writes a header for tensors laid end to end; padded so that the data starts at 8 bytes. */
export function writeHeader(header: SafetensorsHeader): Uint8Array {
  const parts: string[] = [];
  if (header.metadata.size > 0) {
    const pairs = [...header.metadata].sort(([a], [b]) => (a < b ? -1 : 1));
    const fields = pairs.map(
      ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`,
    );
    parts.push(`"__metadata__":{${fields.join(',')}}`);
  }
  for (const { name, dtype, shape, begin, byteLength } of header.entries) {
    parts.push(
      `${JSON.stringify(name)}:{"dtype":"${typeNames[dtype]}","shape":[${shape.join(',')}],` +
        `"data_offsets":[${begin},${begin + byteLength}]}`,
    );
  }
  const text = Buffer.from(`{${parts.join(',')}}`, 'utf8');
  const padded = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(lengthFieldBytes + padded).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(text, lengthFieldBytes);
  return bytes;
}

function decodeText(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new InvalidFileError(
      file,
      'header',
      'UTF-8 text',
      'other bytes',
      lengthFieldBytes,
    );
  }
}

function parseMetadata(value: JsonValue, file: string): Map<string, string> {
  const metadata = new Map<string, string>();
  if (!isJsonObject(value)) {
    throw new InvalidFileError(
      file,
      '__metadata__',
      'an object of strings',
      'another value',
    );
  }
  for (const [key, text] of value) {
    if (typeof text !== 'string') {
      throw new InvalidFileError(
        file,
        `__metadata__.${key}`,
        'a string',
        'another value',
      );
    }
    metadata.set(key, text);
  }
  return metadata;
}

function parseEntry(name: string, value: JsonValue, file: string): TensorEntry {
  const field = `tensor ${JSON.stringify(name)}`;
  if (!isJsonObject(value))
    throw new InvalidFileError(file, field, 'an object', 'another value');
  const unknown = [...value.keys()].find(
    (key) => key !== 'dtype' && key !== 'shape' && key !== 'data_offsets',
  );
  if (unknown !== undefined) {
    const expected = 'only dtype, shape and data_offsets';
    throw new InvalidFileError(file, field, expected, JSON.stringify(unknown));
  }
  const dtype = typesByName.get(String(value.get('dtype')));
  if (!dtype) {
    const expected = `a dtype among ${[...typesByName.keys()].join(' ')}`;
    throw new InvalidFileError(file, field, expected, showValue(value.get('dtype')));
  }
  const shape = wholeNumbers(value, 'shape', field, file);
  const offsets = wholeNumbers(value, 'data_offsets', field, file);
  const [begin, end] = offsets;
  if (offsets.length !== 2 || begin === undefined || end === undefined || begin > end) {
    const received = `[${offsets.join(', ')}]`;
    throw new InvalidFileError(file, field, 'data_offsets [begin, end]', received);
  }
  const byteLength = shape.reduce((bytes, size) => {
    const product = bytes * size;
    if (Number.isSafeInteger(product)) return product;
    throw new InvalidFileError(
      file,
      field,
      'fewer than 2^53 bytes',
      `shape [${shape.join(', ')}]`,
    );
  }, bytesPerElement[dtype]);
  if (byteLength !== end - begin) {
    const expected = `${byteLength} bytes for ${typeNames[dtype]} [${shape.join(', ')}]`;
    throw new InvalidFileError(file, field, expected, `${end - begin}`);
  }
  return { name, dtype, shape, begin, byteLength };
}

function wholeNumbers(
  entry: JsonObject,
  key: string,
  field: string,
  file: string,
): number[] {
  const value = entry.get(key);
  if (!Array.isArray(value)) {
    throw new InvalidFileError(file, field, `${key} as an array`, showValue(value));
  }
  for (const item of value) {
    if (!Number.isSafeInteger(item) || item < 0) {
      const expected = `whole numbers below 2^53 in ${key}`;
      throw new InvalidFileError(file, field, expected, showValue(item));
    }
  }
  return value as number[];
}

function showValue(value: JsonValue | undefined): string {
  if (value === undefined) return 'nothing';
  return typeof value === 'object' && value !== null
    ? 'another value'
    : JSON.stringify(value);
}

function checkCover(
  entries: readonly TensorEntry[],
  file: string,
  dataBytes: number,
): void {
  let position = 0;
  const cutOff = entries.find(({ begin, byteLength }) => begin + byteLength > dataBytes);
  for (const { name, begin, byteLength } of entries) {
    if (begin !== position) {
      const kind =
        begin > position ? 'a hole before it' : 'an overlap with the one before';
      const expected = `bytes from ${position}`;
      const received = `bytes from ${begin}: ${kind}`;
      throw new InvalidFileError(
        file,
        `tensor ${JSON.stringify(name)}`,
        expected,
        received,
      );
    }
    position += byteLength;
  }
  if (position !== dataBytes) {
    const cut = cutOff && `: the file is truncated within ${cutOff.name}`;
    const received = `${dataBytes}${cut ?? ''}`;
    throw new InvalidFileError(
      file,
      'data',
      `${position} bytes after the header`,
      received,
    );
  }
}
