/** Plain tensors: a typed array and a shape, row-major, never hidden behind a runtime. */

import { InvalidInputError } from '../error.ts';

export interface TypedArrays {
  float32: Float32Array;
  float64: Float64Array;
  float16: Float16Array;
  /** Raw bfloat16 bits: JavaScript has no such number type. */
  bfloat16: Uint16Array;
  int8: Int8Array;
  uint8: Uint8Array;
  int16: Int16Array;
  uint16: Uint16Array;
  int32: Int32Array;
  uint32: Uint32Array;
  int64: BigInt64Array;
  uint64: BigUint64Array;
  /** One byte per element, 0 or 1. */
  bool: Uint8Array;
}

export type DataType = keyof TypedArrays;
export type Shape = readonly number[];

/** A dense row-major array. `data.length` is the product of `shape`. */
export interface Tensor<D extends DataType = 'float32'> {
  readonly dtype: D;
  readonly shape: Shape;
  readonly data: TypedArrays[D];
}

export type AnyTensor = { [D in DataType]: Tensor<D> }[DataType];

/** Bytes of one element. */
export const bytesPerElement: Readonly<Record<DataType, number>> = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  bool: 1,
};

/** Number of elements of a shape; 1 for a scalar (`[]`). */
export function elementCount(shape: Shape): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}

/** Float32 tensor of a shape, from existing data (not copied) or zeros. */
export function float32(
  shape: Shape,
  data: Float32Array = new Float32Array(elementCount(shape)),
): Tensor {
  checkLength(shape, data.length);
  return { dtype: 'float32', shape, data };
}

/** Int32 tensor of a shape, from existing data (not copied) or zeros. */
export function int32(
  shape: Shape,
  data: Int32Array = new Int32Array(elementCount(shape)),
): Tensor<'int32'> {
  checkLength(shape, data.length);
  return { dtype: 'int32', shape, data };
}

/** Throws when a NaN or an infinity occurs, naming the tensor and the place. */
export function checkFinite(name: string, tensor: Tensor): void {
  const { data } = tensor;
  for (let index = 0; index < data.length; index++) {
    if (!Number.isFinite(data[index])) {
      throw new InvalidInputError(
        name,
        'finite numbers',
        `${data[index]} at element ${index} of shape [${tensor.shape.join(', ')}]`,
      );
    }
  }
}

function checkLength(shape: Shape, length: number): void {
  if (elementCount(shape) !== length) {
    throw new InvalidInputError(
      'data',
      `${elementCount(shape)} elements for shape [${shape.join(', ')}]`,
      `${length} elements`,
    );
  }
}
