/** Writes GGUF files, tensor by tensor. */

import type { Shape } from '../../array/tensor.ts';
import { InvalidInputError } from '../../error.ts';
import { type WriteOptions, writeFileAtomic } from '../atomic.ts';
import {
  aligned,
  defaultAlignment,
  type GgufArray,
  type GgufTensorType,
  type GgufValue,
  magic,
  maximumAlignment,
  maximumDimensions,
  maximumNameBytes,
  tensorByteLength,
  tensorTypes,
  valueTypeCodes,
  writtenVersion,
} from './types.ts';

/** A tensor to write; a function is called when its turn comes. */
export interface GgufTensorToWrite {
  readonly name: string;
  readonly type: GgufTensorType;
  /** Row-major, outermost first as everywhere here; the file lists it reversed. */
  readonly shape: Shape;
  /** The stored bytes: little-endian values or blocks. */
  readonly data: Uint8Array | (() => Uint8Array | Promise<Uint8Array>);
}

export interface GgufContent {
  /** In the order of the file. `general.alignment` (uint32) sets the alignment. */
  readonly metadata: Iterable<readonly [key: string, value: GgufValue]>;
  readonly tensors: readonly GgufTensorToWrite[];
}

/**
 * Writes a file atomically.
 *
 * @throws InvalidInputError for repeated keys or names, values outside of their type,
 * shapes that the type's blocks do not divide, or data of the wrong length.
 */
export async function writeGguf(
  path: string,
  content: GgufContent,
  options: WriteOptions = {},
): Promise<void> {
  const metadata = [...content.metadata];
  const alignment = alignmentOf(metadata);
  checkNames(
    'metadata',
    metadata.map(([key]) => key),
    65535,
  );
  checkNames(
    'tensors',
    content.tensors.map((tensor) => tensor.name),
    maximumNameBytes,
  );
  const bytes = new ByteWriter();
  bytes.raw(Buffer.from(magic, 'latin1'));
  bytes.number('uint32', writtenVersion);
  bytes.big('uint64', BigInt(content.tensors.length));
  bytes.big('uint64', BigInt(metadata.length));
  for (const [key, value] of metadata) {
    bytes.string(key);
    bytes.number('uint32', valueTypeCodes[value.type]);
    writeValue(bytes, key, value);
  }
  let offset = 0;
  const lengths: number[] = [];
  for (const { name, type, shape } of content.tensors) {
    const length = checkedLength(name, type, shape);
    bytes.string(name);
    bytes.number('uint32', shape.length);
    for (const size of shape.toReversed()) bytes.big('uint64', BigInt(size));
    bytes.number('uint32', tensorTypes[type].code);
    bytes.big('uint64', BigInt(offset));
    lengths.push(length);
    offset = aligned(offset + length, alignment);
  }
  const chunks = async function* () {
    const head = bytes.finish();
    yield head;
    yield new Uint8Array(aligned(head.length, alignment) - head.length);
    for (const [index, tensor] of content.tensors.entries()) {
      const data = typeof tensor.data === 'function' ? await tensor.data() : tensor.data;
      const length = lengths[index]!;
      if (data.length !== length) {
        const expected = `${length} bytes for ${tensor.type} [${tensor.shape.join(', ')}]`;
        throw new InvalidInputError(tensor.name, expected, `${data.length}`);
      }
      yield data;
      yield new Uint8Array(aligned(length, alignment) - length);
    }
  };
  await writeFileAtomic(path, chunks(), options);
}

function alignmentOf(metadata: readonly (readonly [string, GgufValue])[]): number {
  const value = metadata.find(([key]) => key === 'general.alignment')?.[1];
  if (!value) return defaultAlignment;
  const alignment = value.type === 'uint32' ? value.value : 0;
  const power = alignment > 0 && (alignment & (alignment - 1)) === 0;
  if (!power || alignment < 8 || alignment > maximumAlignment) {
    const expected = `a uint32 power of two from 8 to ${maximumAlignment}`;
    throw new InvalidInputError('general.alignment', expected, `${value.value}`);
  }
  return alignment;
}

function checkNames(argument: string, names: readonly string[], longest: number): void {
  const seen = new Set<string>();
  for (const name of names) {
    const bytes = Buffer.byteLength(name);
    if (bytes === 0 || bytes > longest || seen.has(name)) {
      const expected = `names of 1 to ${longest} bytes, each once`;
      throw new InvalidInputError(argument, expected, JSON.stringify(name));
    }
    seen.add(name);
  }
}

function checkedLength(name: string, type: GgufTensorType, shape: Shape): number {
  const sizes = shape.every((size) => Number.isSafeInteger(size) && size > 0);
  const length = sizes ? tensorByteLength(type, shape) : null;
  if (length === null || shape.length < 1 || shape.length > maximumDimensions) {
    const { blockSize } = tensorTypes[type];
    const expected = `1 to 4 sizes, the last a multiple of ${blockSize} (${type})`;
    throw new InvalidInputError(name, expected, `[${shape.join(', ')}]`);
  }
  return length;
}

function writeValue(bytes: ByteWriter, key: string, item: GgufValue): void {
  switch (item.type) {
    case 'string':
      bytes.string(item.value);
      break;
    case 'bool':
      bytes.number('uint8', item.value ? 1 : 0);
      break;
    case 'uint64':
    case 'int64':
      bytes.big(item.type, item.value, key);
      break;
    case 'array':
      writeArray(bytes, key, item);
      break;
    default:
      bytes.number(item.type, item.value, key);
  }
}

function writeArray(bytes: ByteWriter, key: string, array: GgufArray): void {
  bytes.number('uint32', valueTypeCodes[array.of]);
  bytes.big('uint64', BigInt(array.value.length));
  for (let index = 0; index < array.value.length; index++) {
    const value = array.value[index];
    const item = array.of === 'array' ? value : { type: array.of, value };
    writeValue(bytes, `${key}[${index}]`, item as GgufValue);
  }
}

const numberWriters = {
  uint8: { bytes: 1, least: 0, most: 0xff, method: 'setUint8' },
  int8: { bytes: 1, least: -0x80, most: 0x7f, method: 'setInt8' },
  uint16: { bytes: 2, least: 0, most: 0xffff, method: 'setUint16' },
  int16: { bytes: 2, least: -0x8000, most: 0x7fff, method: 'setInt16' },
  uint32: { bytes: 4, least: 0, most: 0xffffffff, method: 'setUint32' },
  int32: { bytes: 4, least: -0x80000000, most: 0x7fffffff, method: 'setInt32' },
  float32: { bytes: 4, least: null, most: null, method: 'setFloat32' },
  float64: { bytes: 8, least: null, most: null, method: 'setFloat64' },
} as const;

/** Growing little-endian bytes. */
class ByteWriter {
  private bytes = new Uint8Array(4096);
  private view = new DataView(this.bytes.buffer);
  private length = 0;

  raw(data: Uint8Array): void {
    this.reserve(data.length);
    this.bytes.set(data, this.length);
    this.length += data.length;
  }

  string(text: string): void {
    const data = Buffer.from(text, 'utf8');
    this.big('uint64', BigInt(data.length));
    this.raw(data);
  }

  number(type: keyof typeof numberWriters, value: number, key = 'value'): void {
    const { bytes, least, most, method } = numberWriters[type];
    const fits =
      least === null || (Number.isInteger(value) && value >= least && value <= most);
    if (!fits || typeof value !== 'number') {
      throw new InvalidInputError(key, `a number that ${type} holds`, String(value));
    }
    this.reserve(bytes);
    this.view[method](this.length, value, true);
    this.length += bytes;
  }

  big(type: 'uint64' | 'int64', value: bigint, key = 'value'): void {
    const wrapped =
      type === 'uint64' ? BigInt.asUintN(64, value) : BigInt.asIntN(64, value);
    if (wrapped !== value) {
      throw new InvalidInputError(key, `a number that ${type} holds`, String(value));
    }
    this.reserve(8);
    this.view.setBigUint64(this.length, BigInt.asUintN(64, value), true);
    this.length += 8;
  }

  finish(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  private reserve(extra: number): void {
    if (this.length + extra <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + extra));
    grown.set(this.bytes);
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}
