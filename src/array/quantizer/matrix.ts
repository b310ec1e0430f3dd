/** Puts a weight matrix on an integer grid and takes it back to floats. */

import { InvalidInputError } from '../../error.ts';
import type { QuantizedMatrix } from '../quantized.ts';
import { float32, type Tensor } from '../tensor.ts';
import {
  type Grid,
  isSymmetric,
  lowestCode,
  roundingOf,
  scaleOf,
  zeroOf,
} from './grid.ts';
import { roundHalfAway, roundHalfEven } from './rounding.ts';

/** How weights share scales: a positive number of consecutive inputs, a row, or all. */
export type Grouping = number | 'row' | 'tensor';

const fround = Math.fround;

/** Inputs per scale. Throws when the group does not divide the row. */
export function groupSizeOf(
  grouping: Grouping,
  inFeatures: number,
  argument = 'groupSize',
): number {
  if (grouping === 'row' || grouping === 'tensor' || grouping === -1) return inFeatures;
  if (!Number.isInteger(grouping) || grouping <= 0 || inFeatures % grouping !== 0) {
    throw new InvalidInputError(
      argument,
      `a divisor of in_features ${inFeatures}`,
      `${grouping}: group ${grouping} does not divide in_features ${inFeatures}`,
    );
  }
  return grouping;
}

/**
 * Codes, scales and zeros of a matrix `[outFeatures, inFeatures]`.
 * Throws InvalidInputError, naming the matrix, for NaN, infinity, a wrong rank or group.
 */
export function quantizeMatrix(
  weight: Tensor,
  grid: Grid,
  grouping: Grouping,
  name = 'weight',
): QuantizedMatrix {
  const [outFeatures, inFeatures] = matrixShape(weight, name);
  const groupSize = groupSizeOf(grouping, inFeatures, name);
  const groups = (outFeatures * inFeatures) / groupSize;
  const codes = new Uint8Array(outFeatures * inFeatures);
  const scales = new Float32Array(groups);
  const zeros = new Uint8Array(groups);
  const { data } = weight;
  const whole = grouping === 'tensor' ? extremes(data, 0, data.length, name) : null;
  const even = roundingOf(grid.kind) === 'half-even';
  const lowest = lowestCode(grid);
  const highest = 2 ** grid.bits - 1;
  for (let group = 0; group < groups; group++) {
    const start = group * groupSize;
    const end = start + groupSize;
    const [low, high] = whole ?? extremes(data, start, end, name);
    const scale = scaleOf(grid, low, high);
    const zero = zeroOf(grid, low, scale);
    scales[group] = scale;
    zeros[group] = zero;
    for (let index = start; index < end; index++) {
      const steps = fround(data[index] / scale);
      const code = even ? roundHalfEven(steps) + zero : roundHalfAway(zero + steps);
      codes[index] = code < lowest ? lowest : Math.min(code, highest);
    }
  }
  return {
    shape: [outFeatures, inFeatures],
    bits: grid.bits,
    groupSize,
    codes,
    scales,
    zeros,
    symmetric: isSymmetric(grid.kind),
    perTensor: grouping === 'tensor',
  };
}

/** `(codes - zeros) * scales / inputScales` in float32, `[outFeatures, inFeatures]`. */
export function dequantizeMatrix(matrix: QuantizedMatrix): Tensor {
  const { codes, scales, zeros, groupSize, inputScales } = matrix;
  const data = new Float32Array(codes.length);
  for (let group = 0; group < scales.length; group++) {
    const scale = scales[group];
    const zero = zeros[group];
    const end = (group + 1) * groupSize;
    for (let index = group * groupSize; index < end; index++) {
      data[index] = (codes[index] - zero) * scale;
    }
  }
  if (inputScales) {
    const inputs = inputScales.length;
    for (let index = 0; index < data.length; index++) {
      data[index] /= inputScales[index % inputs];
    }
  }
  return float32(matrix.shape, data);
}

/**
 * `dequantize(quantize(weight))` without keeping the codes, into `output` (may be `weight`).
 * The inner loop of searches: the same numbers as the two functions above.
 */
export function roundTrip(
  weight: Float32Array,
  groupSize: number,
  grid: Grid,
  output: Float32Array = new Float32Array(weight.length),
): Float32Array {
  const even = roundingOf(grid.kind) === 'half-even';
  const lowest = lowestCode(grid);
  const highest = 2 ** grid.bits - 1;
  for (let start = 0; start < weight.length; start += groupSize) {
    const end = start + groupSize;
    let low = weight[start];
    let high = low;
    for (let index = start + 1; index < end; index++) {
      const value = weight[index];
      if (value < low) low = value;
      else if (value > high) high = value;
    }
    const scale = scaleOf(grid, low, high);
    const zero = zeroOf(grid, low, scale);
    for (let index = start; index < end; index++) {
      const steps = fround(weight[index] / scale);
      const code = even ? roundHalfEven(steps) + zero : roundHalfAway(zero + steps);
      const kept = code < lowest ? lowest : Math.min(code, highest);
      output[index] = (kept - zero) * scale;
    }
  }
  return output;
}

/** `||dequantized - weight|| / ||weight||`, Frobenius norms; 0 for two zero matrices. */
export function relativeError(weight: Tensor, matrix: QuantizedMatrix): number {
  const back = dequantizeMatrix(matrix).data;
  let difference = 0;
  let norm = 0;
  for (let index = 0; index < back.length; index++) {
    difference += (back[index] - weight.data[index]) ** 2;
    norm += weight.data[index] ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / norm);
}

function matrixShape(weight: Tensor, name: string): [number, number] {
  const [outFeatures, inFeatures] = weight.shape;
  if (weight.shape.length !== 2 || outFeatures < 1 || inFeatures < 1) {
    throw new InvalidInputError(
      name,
      'a matrix [outFeatures, inFeatures]',
      `shape [${weight.shape.join(', ')}]`,
    );
  }
  return [outFeatures, inFeatures];
}

function extremes(
  data: Float32Array,
  start: number,
  end: number,
  name: string,
): [low: number, high: number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let index = start; index < end; index++) {
    const value = data[index];
    // NaN fails every comparison, so finiteness is asked for directly.
    if (!Number.isFinite(value)) {
      throw new InvalidInputError(name, 'finite numbers', `${value} at element ${index}`);
    }
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}
