/** Stored element types as float32. */

import { toFloat32 } from '../array/float16.ts';
import type { AnyTensor, DataType, Shape, Tensor, TypedArrays } from '../array/tensor.ts';

/** The same tensor in float32: exact but for float64 and integers beyond 2^24, rounded. */
export function asFloat32(tensor: AnyTensor): Tensor {
  if (tensor.dtype === 'int64' || tensor.dtype === 'uint64') {
    const data = Float32Array.from(tensor.data as BigInt64Array, Number);
    return { dtype: 'float32', shape: tensor.shape, data };
  }
  return toFloat32(tensor);
}

/** A tensor over little-endian bytes at the start of a buffer; not copied. */
export function tensorOfBytes(
  dtype: DataType,
  shape: Shape,
  bytes: Uint8Array<ArrayBuffer>,
): AnyTensor {
  const { buffer, byteOffset, byteLength } = bytes;
  const ArrayType = constructors[dtype];
  const length = byteLength / ArrayType.BYTES_PER_ELEMENT;
  return { dtype, shape, data: new ArrayType(buffer, byteOffset, length) } as AnyTensor;
}

/** The bytes of a typed array, little-endian as on every platform Node runs on here. */
export function bytesOf(data: TypedArrays[DataType]): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** Whether a typed array is the one that a stored type needs. */
export function holds(dtype: DataType, data: TypedArrays[DataType]): boolean {
  return data instanceof constructors[dtype];
}

const constructors = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Float16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const;
