/** Reads GGUF files: the head at once, tensors one by one, blocks back to float32. */

import { bfloat16ToFloat, halfToFloat } from '../../array/float16.ts';
import type { Tensor } from '../../array/tensor.ts';
import { InvalidFileError, InvalidInputError } from '../../error.ts';
import { checkUnchanged, readExactly, withFile } from '../positioned-read.ts';
import { decodeBlocks } from './blocks.ts';
import {
  type GgufHeader,
  type GgufTensorEntry,
  HeadTruncated,
  parseGgufHeader,
} from './header.ts';
import type { GgufTensorType } from './types.ts';

export interface GgufFile extends GgufHeader {
  readonly path: string;
  /** A tensor as float32, dequantized where it is stored in blocks. */
  read(name: string): Promise<Tensor>;
  /** A tensor's stored bytes. */
  readBytes(name: string): Promise<Uint8Array>;
}

const firstRead = 1024 * 1024;
const maximumHeadBytes = 512 * 1024 * 1024;

/**
 * Opens a file: reads and checks its head, however long, without the data.
 * @throws InvalidFileError as `parseGgufHeader` says, and for a head beyond 512 MiB.
 */
export async function openGguf(path: string): Promise<GgufFile> {
  return withFile(path, async (file, stamp) => {
    let header: GgufHeader | undefined;
    for (let length = firstRead; !header; length *= 4) {
      if (length >= 4 * maximumHeadBytes) {
        throw new InvalidFileError(path, 'head', `${maximumHeadBytes} bytes`, 'more');
      }
      const size = Math.min(length, stamp.size);
      const bytes = await readExactly(file, path, 'head', 0, size);
      try {
        header = parseGgufHeader(bytes, path, stamp.size);
      } catch (error) {
        if (!(error instanceof HeadTruncated)) throw error;
      }
    }
    const entries = new Map(header.tensors.map((entry) => [entry.name, entry]));
    const entryOf = (name: string): GgufTensorEntry => {
      const entry = entries.get(name);
      if (entry) return entry;
      throw new InvalidInputError('tensor', `a name in ${path}`, JSON.stringify(name));
    };
    const readBytes = async (name: string): Promise<Uint8Array<ArrayBuffer>> => {
      const { begin, byteLength } = entryOf(name);
      return withFile(path, async (again, now) => {
        checkUnchanged(path, stamp, now);
        return readExactly(again, path, `tensor "${name}"`, begin, byteLength);
      });
    };
    const read = async (name: string): Promise<Tensor> => {
      const { type, shape } = entryOf(name);
      return { dtype: 'float32', shape, data: valuesOf(type, await readBytes(name)) };
    };
    return { ...header, path, read, readBytes };
  });
}

function valuesOf(type: GgufTensorType, bytes: Uint8Array<ArrayBuffer>): Float32Array {
  const { buffer } = bytes;
  switch (type) {
    case 'F32':
      return new Float32Array(buffer);
    case 'F16':
      return halfToFloat(new Uint16Array(buffer));
    case 'BF16':
      return bfloat16ToFloat(new Uint16Array(buffer));
    default:
      return decodeBlocks(type, bytes);
  }
}
