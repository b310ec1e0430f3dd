/** What a GGUF file is made of: value types, tensor types and their blocks. */

import type { Shape } from '../../array/tensor.ts';

/** Numbers of the metadata value types. */
export const valueTypeCodes = {
  uint8: 0,
  int8: 1,
  uint16: 2,
  int16: 3,
  uint32: 4,
  int32: 5,
  float32: 6,
  bool: 7,
  string: 8,
  array: 9,
  uint64: 10,
  int64: 11,
  float64: 12,
} as const;

export type GgufValueType = keyof typeof valueTypeCodes;

export type GgufNumberType =
  | 'uint8'
  | 'int8'
  | 'uint16'
  | 'int16'
  | 'uint32'
  | 'int32'
  | 'float32'
  | 'float64';

/** One metadata value with its stored type. */
export type GgufValue =
  | { readonly type: GgufNumberType; readonly value: number }
  | { readonly type: 'uint64' | 'int64'; readonly value: bigint }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | GgufArray;

export type GgufArray =
  | {
      readonly type: 'array';
      readonly of: GgufNumberType;
      readonly value: ArrayLike<number>;
    }
  | {
      readonly type: 'array';
      readonly of: 'uint64' | 'int64';
      readonly value: ArrayLike<bigint>;
    }
  | { readonly type: 'array'; readonly of: 'bool'; readonly value: readonly boolean[] }
  | { readonly type: 'array'; readonly of: 'string'; readonly value: readonly string[] }
  | {
      readonly type: 'array';
      readonly of: 'array';
      readonly value: readonly GgufArray[];
    };

/** Bytes of the values that have a fixed size. */
export const valueBytes: Readonly<Partial<Record<GgufValueType, number>>> = {
  uint8: 1,
  int8: 1,
  uint16: 2,
  int16: 2,
  uint32: 4,
  int32: 4,
  float32: 4,
  bool: 1,
  uint64: 8,
  int64: 8,
  float64: 8,
};

interface TensorTypeFacts {
  readonly code: number;
  /** Values in a block; a row is a whole number of blocks. */
  readonly blockSize: number;
  readonly blockBytes: number;
}

/** The tensor types that are written and read here. */
export const tensorTypes = {
  F32: { code: 0, blockSize: 1, blockBytes: 4 },
  F16: { code: 1, blockSize: 1, blockBytes: 2 },
  Q4_0: { code: 2, blockSize: 32, blockBytes: 18 },
  Q4_1: { code: 3, blockSize: 32, blockBytes: 20 },
  Q5_0: { code: 6, blockSize: 32, blockBytes: 22 },
  Q5_1: { code: 7, blockSize: 32, blockBytes: 24 },
  Q8_0: { code: 8, blockSize: 32, blockBytes: 34 },
  BF16: { code: 30, blockSize: 1, blockBytes: 2 },
} as const satisfies Record<string, TensorTypeFacts>;

export type GgufTensorType = keyof typeof tensorTypes;

/** Types of 32-value blocks: `_0` scaled around zero, `_1` with a scale and a minimum. */
export type GgufBlockType = 'Q4_0' | 'Q4_1' | 'Q5_0' | 'Q5_1' | 'Q8_0';

/** The four letters that a file starts with. */
export const magic = 'GGUF';
/** The version that is written; 2 and 3 are read, which lay everything out alike. */
export const writtenVersion = 3;
/** Where `general.alignment` says nothing. */
export const defaultAlignment = 32;
export const maximumDimensions = 4;
/** Longest tensor name in bytes: ggml keeps 64 with the closing zero. */
export const maximumNameBytes = 63;
export const maximumAlignment = 1 << 20;

/** Bytes of a tensor, or null when its rows are not whole blocks or it is too large. */
export function tensorByteLength(type: GgufTensorType, shape: Shape): number | null {
  const { blockSize, blockBytes } = tensorTypes[type];
  const row = shape.at(-1) ?? 1;
  if (row % blockSize !== 0) return null;
  let bytes = (row / blockSize) * blockBytes;
  for (const size of shape.slice(0, -1)) bytes *= size;
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** The next multiple of the alignment. */
export function aligned(offset: number, alignment: number): number {
  return Math.ceil(offset / alignment) * alignment;
}
