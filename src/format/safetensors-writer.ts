/** Writes safetensors: one file or shards with their index, tensor by tensor. */

import { join } from 'node:path';
import {
  bytesPerElement,
  type DataType,
  elementCount,
  type Shape,
  type TypedArrays,
} from '../array/tensor.ts';
import { InvalidInputError } from '../error.ts';
import { writeFileAtomic } from './atomic.ts';
import { indexFileName, singleFileName } from './safetensors-directory.ts';
import { type TensorEntry, writeHeader } from './safetensors-header.ts';
import { bytesOf, holds } from './stored-values.ts';

/** A tensor to write; a function is called when its turn comes, so memory holds one. */
export interface TensorToWrite {
  readonly name: string;
  readonly dtype: DataType;
  readonly shape: Shape;
  readonly data:
    | TypedArrays[DataType]
    | (() => TypedArrays[DataType] | Promise<TypedArrays[DataType]>);
}

export interface SafetensorsOptions {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

export interface ShardOptions extends SafetensorsOptions {
  /** Largest number of tensor bytes in a file; one larger tensor gets a file of its own. */
  readonly maximumShardBytes?: number;
}

/**
 * Writes one file atomically. The layout depends on the tensors alone, not on the order
 * given: wider types first, then by name, so that each lies aligned to its element.
 *
 * @throws InvalidInputError for a repeated or reserved name, or data that do not fit the
 * stated type and shape.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorToWrite>,
  options: SafetensorsOptions = {},
): Promise<void> {
  const ordered = inFileOrder(tensors);
  const entries: TensorEntry[] = [];
  let begin = 0;
  for (const { name, dtype, shape } of ordered) {
    const byteLength = byteLengthOf(name, dtype, shape);
    entries.push({ name, dtype, shape, begin, byteLength });
    begin += byteLength;
  }
  const metadata = new Map(Object.entries(options.metadata ?? {}));
  const header = writeHeader({ entries, metadata });
  const content = async function* () {
    yield header;
    for (const tensor of ordered) yield await tensorBytes(tensor);
  };
  await writeFileAtomic(path, content(), { signal: options.signal });
}

/**
 * Writes `model.safetensors` into a directory, or `model-00001-of-0000N.safetensors` and
 * `model.safetensors.index.json` when the tensors exceed `maximumShardBytes` (5 GB). Shards
 * take the tensors in the order given. Returns the names of the files.
 */
export async function writeShardedSafetensors(
  directory: string,
  tensors: Iterable<TensorToWrite>,
  options: ShardOptions = {},
): Promise<string[]> {
  const { maximumShardBytes = 5_000_000_000, ...fileOptions } = options;
  if (!(maximumShardBytes > 0)) {
    throw new InvalidInputError(
      'maximumShardBytes',
      'more than 0',
      `${maximumShardBytes}`,
    );
  }
  const all = [...tensors];
  inFileOrder(all);
  const shards: TensorToWrite[][] = [[]];
  let filled = 0;
  let total = 0;
  for (const tensor of all) {
    const bytes = byteLengthOf(tensor.name, tensor.dtype, tensor.shape);
    if (filled > 0 && filled + bytes > maximumShardBytes) {
      shards.push([]);
      filled = 0;
    }
    shards.at(-1)!.push(tensor);
    filled += bytes;
    total += bytes;
  }
  if (shards.length === 1) {
    await writeSafetensors(join(directory, singleFileName), all, fileOptions);
    return [singleFileName];
  }
  const nameOf = (index: number): string =>
    `model-${fiveDigits(index + 1)}-of-${fiveDigits(shards.length)}.safetensors`;
  const weightMap: [string, string][] = [];
  for (const [index, shard] of shards.entries()) {
    await writeSafetensors(join(directory, nameOf(index)), shard, fileOptions);
    for (const { name } of shard) weightMap.push([name, nameOf(index)]);
  }
  weightMap.sort(([a], [b]) => (a < b ? -1 : 1));
  const index = {
    metadata: { total_size: total },
    weight_map: Object.fromEntries(weightMap),
  };
  await writeFileAtomic(
    join(directory, indexFileName),
    `${JSON.stringify(index, null, 2)}\n`,
    { signal: options.signal },
  );
  return [...shards.keys()].map(nameOf).concat(indexFileName);
}

function inFileOrder(tensors: Iterable<TensorToWrite>): TensorToWrite[] {
  const ordered = [...tensors].sort(
    (a, b) =>
      bytesPerElement[b.dtype] - bytesPerElement[a.dtype] ||
      (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
  const seen = new Set<string>();
  for (const { name } of ordered) {
    if (name === '__metadata__' || name === '') {
      throw new InvalidInputError('name', 'a tensor name', JSON.stringify(name));
    }
    if (seen.has(name)) {
      throw new InvalidInputError(
        'tensors',
        'each name once',
        `${JSON.stringify(name)} twice`,
      );
    }
    seen.add(name);
  }
  return ordered;
}

async function tensorBytes(tensor: TensorToWrite): Promise<Uint8Array> {
  const { name, dtype, shape } = tensor;
  const data = typeof tensor.data === 'function' ? await tensor.data() : tensor.data;
  if (!holds(dtype, data) || data.length !== elementCount(shape)) {
    throw new InvalidInputError(
      name,
      `${elementCount(shape)} elements of ${dtype} for shape [${shape.join(', ')}]`,
      `${data.length} in a ${data.constructor.name}`,
    );
  }
  return bytesOf(data);
}

function byteLengthOf(name: string, dtype: DataType, shape: Shape): number {
  const bytes = elementCount(shape) * bytesPerElement[dtype];
  const whole = shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  if (!whole || !Number.isSafeInteger(bytes)) {
    throw new InvalidInputError(name, 'a shape of whole sizes', `[${shape.join(', ')}]`);
  }
  return bytes;
}

function fiveDigits(value: number): string {
  return String(value).padStart(5, '0');
}
