/** Reads safetensors: a file, or a directory of shards, opened without reading the data. */

import type { AnyTensor, DataType, Shape, Tensor } from '../array/tensor.ts';
import { InvalidFileError, InvalidInputError } from '../error.ts';
import {
  checkUnchanged,
  type FileStamp,
  readExactly,
  withFile,
} from './positioned-read.ts';
import {
  headerLength,
  lengthFieldBytes,
  parseHeader,
  type TensorEntry,
} from './safetensors-header.ts';
import { asFloat32, tensorOfBytes } from './stored-values.ts';

/** Named tensors on disk, read one by one; nothing has to be closed. */
export interface TensorSource {
  /** Paths of the files, in name order. */
  readonly files: readonly string[];
  /** In the order of the files and of the bytes in them. */
  readonly names: readonly string[];
  /** The files' `__metadata__`, merged; a later file wins. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Bytes of all tensors as stored. */
  readonly byteLength: number;
  has(name: string): boolean;
  /** Stored type and shape, without reading the data. */
  describe(name: string): { readonly dtype: DataType; readonly shape: Shape };
  /** The tensor as float32, whatever it is stored as. */
  read(name: string): Promise<Tensor>;
  /** The tensor as it is stored. */
  readStored(name: string): Promise<AnyTensor>;
}

/** One opened file: where its tensors lie. */
export interface SafetensorsFile {
  readonly path: string;
  readonly stamp: FileStamp;
  readonly dataStart: number;
  readonly entries: readonly TensorEntry[];
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Reads and checks the header of one file; the file is not kept open.
 *
 * @throws InvalidFileError for anything that the format does not allow: header beyond
 * 100 MB or the file, not JSON, a key twice, unknown types, sizes that do not match shapes,
 * byte ranges with holes or overlaps, a truncated file.
 */
export async function openSafetensorsFile(path: string): Promise<SafetensorsFile> {
  return withFile(path, async (file, stamp) => {
    const field = await readExactly(file, path, 'header length', 0, lengthFieldBytes);
    const length = headerLength(field, path, stamp.size);
    const bytes = await readExactly(file, path, 'header', lengthFieldBytes, length);
    const dataStart = lengthFieldBytes + length;
    const header = parseHeader(bytes, path, stamp.size - dataStart);
    return { path, stamp, dataStart, ...header };
  });
}

/** A source over opened files; the caller has checked that no name occurs twice. */
export function sourceOfFiles(files: readonly SafetensorsFile[]): TensorSource {
  const places = new Map<string, { file: SafetensorsFile; entry: TensorEntry }>();
  let byteLength = 0;
  for (const file of files) {
    for (const entry of file.entries) {
      places.set(entry.name, { file, entry });
      byteLength += entry.byteLength;
    }
  }
  const placeOf = (name: string) => {
    const place = places.get(name);
    if (place) return place;
    const where = files.map((file) => file.path).join(', ');
    throw new InvalidInputError('tensor', `a name in ${where}`, JSON.stringify(name));
  };
  const readStored = async (name: string): Promise<AnyTensor> => {
    const { file, entry } = placeOf(name);
    return readEntry(file, entry);
  };
  return {
    files: files.map((file) => file.path),
    names: [...places.keys()],
    metadata: new Map(files.flatMap((file) => [...file.metadata])),
    byteLength,
    has: (name) => places.has(name),
    describe: (name) => placeOf(name).entry,
    read: async (name) => asFloat32(await readStored(name)),
    readStored,
  };
}

async function readEntry(
  opened: SafetensorsFile,
  entry: TensorEntry,
): Promise<AnyTensor> {
  const { path, stamp, dataStart } = opened;
  const field = `tensor ${JSON.stringify(entry.name)}`;
  return withFile(path, async (file, now) => {
    checkUnchanged(path, stamp, now);
    const start = dataStart + entry.begin;
    const bytes = await readExactly(file, path, field, start, entry.byteLength);
    if (entry.dtype === 'bool') {
      const wrong = bytes.findIndex((byte) => byte > 1);
      if (wrong >= 0) {
        const received = `byte ${bytes[wrong]}`;
        throw new InvalidFileError(path, field, '0 or 1', received, start + wrong);
      }
    }
    return tensorOfBytes(entry.dtype, entry.shape, bytes);
  });
}
