/** Checks of a quantized matrix before it is written, and its values. */

import { roundToHalf } from '../array/float16.ts';
import type { QuantizedMatrix } from '../array/quantized.ts';
import { InvalidInputError } from '../error.ts';

/** Groups a row: the last one may be shorter. */
export function groupsOf(matrix: QuantizedMatrix): number {
  return Math.ceil(matrix.shape[1] / matrix.groupSize);
}

/**
 * Throws InvalidInputError unless sizes agree, bits are 2 to 8, codes and zeros are below
 * `2^bits`, scales are finite and input scales are positive halves.
 */
export function checkQuantizedMatrix(matrix: QuantizedMatrix, name = 'matrix'): void {
  const { shape, bits, groupSize, codes, scales, zeros } = matrix;
  const fail = (field: string, expected: string, received: string): never => {
    throw new InvalidInputError(`${name}.${field}`, expected, received);
  };
  if (!shape.every((size) => Number.isSafeInteger(size) && size > 0)) {
    fail('shape', 'two positive sizes', `[${shape.join(', ')}]`);
  }
  const [outFeatures, inFeatures] = shape;
  if (!Number.isInteger(bits) || bits < 2 || bits > 8) fail('bits', '2 to 8', `${bits}`);
  if (!Number.isInteger(groupSize) || groupSize < 1 || groupSize > inFeatures) {
    fail('groupSize', `1 to ${inFeatures}`, `${groupSize}`);
  }
  const groups = outFeatures * groupsOf(matrix);
  if (codes.length !== outFeatures * inFeatures) {
    fail('codes', `${outFeatures * inFeatures} codes`, `${codes.length}`);
  }
  if (scales.length !== groups) fail('scales', `${groups} scales`, `${scales.length}`);
  if (zeros.length !== groups) fail('zeros', `${groups} zeros`, `${zeros.length}`);
  const limit = 2 ** bits;
  const wrongCode = firstAtLeast(codes, limit);
  if (wrongCode >= 0)
    fail(`codes[${wrongCode}]`, `below ${limit}`, `${codes[wrongCode]}`);
  const wrongZero = firstAtLeast(zeros, limit);
  if (wrongZero >= 0)
    fail(`zeros[${wrongZero}]`, `below ${limit}`, `${zeros[wrongZero]}`);
  const wrongScale = scales.findIndex((scale) => !Number.isFinite(scale));
  if (wrongScale >= 0) {
    fail(`scales[${wrongScale}]`, 'a finite number', `${scales[wrongScale]}`);
  }
  const { inputScales } = matrix;
  if (!inputScales) return;
  if (inputScales.length !== inFeatures) {
    fail('inputScales', `${inFeatures} scales`, `${inputScales.length}`);
  }
  const wrong = inputScales.findIndex(
    (scale) => !(scale > 0 && Number.isFinite(scale) && roundToHalf(scale) === scale),
  );
  if (wrong >= 0) {
    const expected = 'a positive float16 number';
    fail(`inputScales[${wrong}]`, expected, `${inputScales[wrong]}`);
  }
}

/** Throws InvalidInputError for a matrix whose input is scaled, which `layout` cannot say. */
export function refuseInputScales(matrix: QuantizedMatrix, layout: string): void {
  if (!matrix.inputScales) return;
  const expected = `none: the ${layout} layout has no place for them`;
  const received = `${matrix.inputScales.length} scales`;
  throw new InvalidInputError('matrix.inputScales', expected, received);
}

function firstAtLeast(values: Uint8Array, limit: number): number {
  for (let index = 0; index < values.length; index++) {
    if (values[index]! >= limit) return index;
  }
  return -1;
}

/** The weights, `[outFeatures, inFeatures]` row-major. */
export function dequantizedValues(matrix: QuantizedMatrix): Float32Array {
  const [outFeatures, inFeatures] = matrix.shape;
  const { groupSize, codes, scales, zeros, inputScales } = matrix;
  const groups = groupsOf(matrix);
  const values = new Float32Array(codes.length);
  for (let row = 0; row < outFeatures; row++) {
    for (let column = 0; column < inFeatures; column++) {
      const group = row * groups + Math.floor(column / groupSize);
      const index = row * inFeatures + column;
      values[index] = (codes[index]! - zeros[group]!) * scales[group]!;
      if (inputScales) values[index]! /= inputScales[column]!;
    }
  }
  return values;
}

/**
 * Whether every scale is a half. Throws InvalidInputError for a scale that would become
 * infinite, or zero without being zero: the written model would be another one.
 */
export function scalesFitHalf(scales: Float32Array, name = 'scales'): boolean {
  let exact = true;
  for (let index = 0; index < scales.length; index++) {
    const scale = scales[index]!;
    const half = roundToHalf(scale);
    if (half === scale) continue;
    exact = false;
    if (!Number.isFinite(half) || half === 0) {
      throw new InvalidInputError(
        `${name}[${index}]`,
        'a number within the range of float16 (about 6e-8 to 65504)',
        `${scale}`,
      );
    }
  }
  return exact;
}

/** A half-precision copy of a `[rows, columns]` array, transposed. */
export function transposedHalves(
  values: Float32Array,
  rows: number,
  columns: number,
): Float16Array<ArrayBuffer> {
  const result = new Float16Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      result[column * rows + row] = values[row * columns + column]!;
    }
  }
  return result;
}

/**
 * The very same weights in wider codes, for formats that lack a width. Codes and zero
 * points move up together by half of the new levels less half of the old, so that a
 * symmetric matrix stays one.
 */
export function widenCodes(matrix: QuantizedMatrix, bits: number): QuantizedMatrix {
  if (!Number.isInteger(bits) || bits < matrix.bits || bits > 8) {
    throw new InvalidInputError('bits', `${matrix.bits} to 8`, `${bits}`);
  }
  const shift = 2 ** (bits - 1) - 2 ** (matrix.bits - 1);
  return {
    ...matrix,
    bits,
    codes: matrix.codes.map((code) => code + shift),
    zeros: matrix.zeros.map((zero) => zero + shift),
  };
}
