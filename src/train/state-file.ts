/** The state of a training run as bytes: one safetensors file with numbers in its metadata. */

import type { Tensor } from '../array/tensor.ts';
import { InvalidFileError } from '../error.ts';
import {
  headerLength,
  lengthFieldBytes,
  parseHeader,
  type TensorEntry,
  writeHeader,
} from '../format/safetensors-header.ts';
import { asFloat32, bytesOf, tensorOfBytes } from '../format/stored-values.ts';
import type { AdamWState } from './adamw.ts';

/** Everything that the next step depends on, and the history so far. */
export interface TrainingState {
  readonly parameters: Record<string, Tensor>;
  readonly optimizer: AdamWState;
  /** JSON: what the run is (`identity`) and what it has measured. */
  readonly record: Readonly<Record<string, unknown>>;
}

const groups = ['parameters', 'mean', 'square'] as const;

/** The state as the bytes of a float32 safetensors file. */
export function encodeState(state: TrainingState): Uint8Array {
  const records = {
    parameters: state.parameters,
    mean: state.optimizer.mean,
    square: state.optimizer.square,
  };
  const entries: TensorEntry[] = [];
  const parts: Uint8Array[] = [];
  let begin = 0;
  for (const group of groups) {
    for (const [name, { shape, data }] of Object.entries(records[group])) {
      const full = `${group}.${name}`;
      entries.push({
        name: full,
        dtype: 'float32',
        shape,
        begin,
        byteLength: data.byteLength,
      });
      parts.push(bytesOf(data));
      begin += data.byteLength;
    }
  }
  const metadata = new Map([
    ['step', String(state.optimizer.step)],
    ['record', JSON.stringify(state.record)],
  ]);
  const header = writeHeader({ entries, metadata });
  const bytes = new Uint8Array(header.length + begin);
  bytes.set(header);
  let position = header.length;
  for (const part of parts) {
    bytes.set(part, position);
    position += part.length;
  }
  return bytes;
}

/**
 * Reads a state back.
 * @throws InvalidFileError when the bytes are not a state.
 */
export function decodeState(
  bytes: Uint8Array,
  file = 'training checkpoint',
): TrainingState {
  if (bytes.length < lengthFieldBytes) {
    throw new InvalidFileError(file, 'header length', '8 bytes', `${bytes.length}`);
  }
  const length = headerLength(bytes.subarray(0, lengthFieldBytes), file, bytes.length);
  const start = lengthFieldBytes + length;
  const text = bytes.subarray(lengthFieldBytes, start);
  const header = parseHeader(text, file, bytes.length - start);
  const records: Record<(typeof groups)[number], Record<string, Tensor>> = {
    parameters: {},
    mean: {},
    square: {},
  };
  for (const { name, dtype, shape, begin, byteLength } of header.entries) {
    const group = groups.find((prefix) => name.startsWith(`${prefix}.`));
    if (!group) {
      const field = `tensor ${JSON.stringify(name)}`;
      throw new InvalidFileError(file, field, 'a parameter or a moment', 'another name');
    }
    const data = bytes.slice(start + begin, start + begin + byteLength);
    records[group][name.slice(group.length + 1)] = asFloat32(
      tensorOfBytes(dtype, shape, data as Uint8Array<ArrayBuffer>),
    );
  }
  const step = Number(header.metadata.get('step'));
  const record = header.metadata.get('record');
  if (!Number.isSafeInteger(step) || record === undefined) {
    throw new InvalidFileError(file, '__metadata__', 'the step and the record', 'others');
  }
  return {
    parameters: records.parameters,
    optimizer: { step, mean: records.mean, square: records.square },
    record: JSON.parse(record) as Record<string, unknown>,
  };
}
