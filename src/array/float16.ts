/** Half precision and bfloat16: bulk conversion to and from float32, rounding to nearest, ties to even. */

import { InvalidInputError } from '../error.ts';
import type { AnyTensor, Tensor } from './tensor.ts';

let halfTable: Float32Array | undefined;

/** Every half's value by its bits: a table is several times faster than converting one by one. */
function halfValues(): Float32Array {
  if (!halfTable) {
    const bits = new Uint16Array(0x10000);
    for (let code = 0; code < bits.length; code++) bits[code] = code;
    halfTable = new Float32Array(new Float16Array(bits.buffer));
  }
  return halfTable;
}

/** Values of half-precision bits (IEEE 754 binary16), exactly. */
export function halfToFloat(bits: Uint16Array | Float16Array): Float32Array {
  const source =
    bits instanceof Uint16Array
      ? bits
      : new Uint16Array(bits.buffer, bits.byteOffset, bits.length);
  const table = halfValues();
  const values = new Float32Array(source.length);
  for (let index = 0; index < source.length; index++) {
    values[index] = table[source[index]!]!;
  }
  return values;
}

const floatView = new Float32Array(1);
const bitsView = new Uint32Array(floatView.buffer);

/** Half-precision bits of one number that is already float32. */
function halfBits(float: number): number {
  const sign = (float >>> 16) & 0x8000;
  const magnitude = float & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  // 65520 and above round past the largest half.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) {
    const rebiased = magnitude - 0x38000000;
    return sign | ((rebiased + 0xfff + ((rebiased >>> 13) & 1)) >>> 13);
  }
  const shift = 126 - (magnitude >>> 23);
  if (shift > 24) return sign;
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const half = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const tie = 1 << (shift - 1);
  return sign | (half + (rest > tie || (rest === tie && (half & 1) === 1) ? 1 : 0));
}

/** Half-precision bits of float32 values. NaN becomes the quiet NaN of the same sign. */
export function floatToHalf(values: Float32Array): Uint16Array {
  const source = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let index = 0; index < bits.length; index++) {
    bits[index] = halfBits(source[index]!);
  }
  return bits;
}

/** The half nearest to a float32 number, as a number. */
export function roundToHalf(value: number): number {
  floatView[0] = value;
  return halfValues()[halfBits(bitsView[0]!)]!;
}

/** Values of bfloat16 bits, exactly. */
export function bfloat16ToFloat(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  for (let index = 0; index < bits.length; index++) words[index] = bits[index]! << 16;
  return new Float32Array(words.buffer);
}

/** bfloat16 bits of float32 values. NaN stays NaN, with its quiet bit set. */
export function floatToBfloat16(values: Float32Array): Uint16Array {
  const source = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let index = 0; index < bits.length; index++) {
    const word = source[index]!;
    bits[index] =
      (word & 0x7fffffff) > 0x7f800000
        ? (word >>> 16) | 0x40
        : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return bits;
}

/**
 * A tensor of any float or integer type as float32; a float32 tensor is returned as it is.
 * Throws `InvalidInputError` for 64-bit integers, which float32 cannot hold.
 */
export function toFloat32(tensor: AnyTensor, name = 'tensor'): Tensor {
  const { shape } = tensor;
  switch (tensor.dtype) {
    case 'float32':
      return tensor;
    case 'float16':
      return { dtype: 'float32', shape, data: halfToFloat(tensor.data) };
    case 'bfloat16':
      return { dtype: 'float32', shape, data: bfloat16ToFloat(tensor.data) };
    case 'int64':
    case 'uint64':
      throw new InvalidInputError(
        name,
        'a float or at most 32-bit integers',
        tensor.dtype,
      );
    default:
      return { dtype: 'float32', shape, data: new Float32Array(tensor.data) };
  }
}
