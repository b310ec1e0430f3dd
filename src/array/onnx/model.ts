/** What an ONNX model is made of, as plain data. */

import type { DataType } from '../tensor.ts';

/** ONNX's numbers for element types (TensorProto.DataType). */
export const onnxTypeCodes: Readonly<Record<DataType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
};

/** Sub-byte element types, kept packed as raw bytes: two values a byte, low half first. */
export const packedTypeCodes = { uint4: 21, int4: 22 } as const;
export type PackedType = keyof typeof packedTypeCodes;

export type OnnxType = DataType | PackedType;

/** One attribute of a node: an integer is written as `{ int: 1 }`, so that 1 and 1.0 differ. */
export type OnnxAttribute =
  | { readonly int: number | bigint }
  | { readonly float: number }
  | { readonly string: string }
  | { readonly ints: readonly (number | bigint)[] }
  | { readonly floats: readonly number[] }
  | { readonly strings: readonly string[] }
  | { readonly tensor: OnnxTensor };

/** A constant: little-endian raw bytes of the elements, row-major. */
export interface OnnxTensor {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export interface OnnxNode {
  readonly operator: string;
  /** Empty for the standard operators, `com.microsoft` for ONNX Runtime's own. */
  readonly domain: string;
  readonly name: string;
  /** An empty name stands for an input that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** An input or output: a dimension is a size or a name for a size known only when run. */
export interface OnnxValue {
  readonly name: string;
  readonly type: OnnxType;
  readonly shape: readonly (number | string)[];
}

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

export interface OnnxModel {
  readonly irVersion: number;
  readonly producer: string;
  /** Version of each operator domain that the graph uses. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly graph: OnnxGraph;
}

/** Bytes of a tensor of a type with so many elements; 4-bit types round up to whole bytes. */
export function onnxByteLength(type: OnnxType, elements: number): number {
  switch (type) {
    case 'uint4':
    case 'int4':
      return Math.ceil(elements / 2);
    case 'bool':
    case 'int8':
    case 'uint8':
      return elements;
    case 'float16':
    case 'bfloat16':
    case 'int16':
    case 'uint16':
      return elements * 2;
    case 'float64':
    case 'int64':
    case 'uint64':
      return elements * 8;
    default:
      return elements * 4;
  }
}
