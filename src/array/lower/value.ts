/** A traced array during lowering: an ONNX tensor that may still lack its broadcast axes. */

import type { DataType, Shape } from '../tensor.ts';

/** Where a value's elements lie before a transpose that nobody may need. */
export interface Layout {
  readonly name: string;
  /** The source tensor's full shape. */
  readonly stored: Shape;
  /** Sizes of the source's axes, ones left out. */
  readonly sizes: Shape;
  /** Axis `i` of the value, ones left out, is axis `order[i]` of the source. */
  readonly order: readonly number[];
}

export interface Value {
  /** Name of the ONNX tensor, whose shape is `stored`. */
  readonly name: string;
  readonly dtype: DataType;
  /** The shape that the traced function sees. */
  readonly shape: Shape;
  /** The tensor's shape: as `shape`, except that a broadcast axis may be kept at size 1. */
  readonly stored: Shape;
  /** The tensor before its last transpose, for operators that take transposed operands. */
  readonly layout?: Layout;
  /** The value whose negation this is. */
  readonly negates?: Value;
  /** The value whose reciprocal this is. */
  readonly inverts?: Value;
}

/** What the trace knows of an array: its type and shape. */
export interface ArrayType {
  readonly shape: Shape;
  readonly dtype: DataType;
  readonly weakType: boolean;
}

/** The shape of two arrays broadcast together, aligned at their last axes. */
export function broadcastShape(first: Shape, second: Shape): number[] {
  const rank = Math.max(first.length, second.length);
  const one = alignShape(first, rank);
  const two = alignShape(second, rank);
  return one.map((size, axis) => (size === 1 ? two[axis]! : size));
}

/** A shape with leading ones, so that it has the rank. */
export function alignShape(shape: Shape, rank: number): number[] {
  return [...new Array<number>(rank - shape.length).fill(1), ...shape];
}

export function sameShape(first: Shape, second: Shape): boolean {
  return (
    first.length === second.length && first.every((size, axis) => size === second[axis])
  );
}

/** `[0, 1, ..., count - 1]`. */
export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

const typeRank: Partial<Record<DataType, number>> = {
  bool: 0,
  uint32: 1,
  int32: 2,
  float16: 3,
  float32: 4,
  float64: 5,
};

function higher(first: DataType, second: DataType): DataType {
  return typeRank[first]! > typeRank[second]! ? first : second;
}

/** The type that operands are cast to, with jax-js's rule for weakly typed scalars. */
export function promote(types: readonly ArrayType[]): DataType {
  let { dtype, weakType } = types[0]!;
  for (const next of types.slice(1)) {
    if (weakType === next.weakType) dtype = higher(dtype, next.dtype);
    else dtype = higher(weakType ? next.dtype : dtype, 'uint32');
    weakType &&= next.weakType;
  }
  return dtype;
}

export function isFloat(dtype: DataType): boolean {
  return dtype === 'float32' || dtype === 'float64' || dtype === 'float16';
}
