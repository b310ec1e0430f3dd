/** Matrix products in integers only: int32 accumulators and fixed-point rescaling. */

import { InvalidInputError } from '../../error.ts';
import { type FixedPointScale, rescale } from './fixed-point.ts';

/** Unsigned or signed codes of a matrix `[rows, columns]`. */
export interface CodeMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly codes: Uint8Array | Int8Array | Uint16Array | Int16Array | Int32Array;
  readonly zero: number;
}

/**
 * `sum_k (left[i, k] - left.zero) * (right[j, k] - right.zero[j])` as int32, `[left.rows,
 * right.rows]`. Both operands are read along their rows. The zero points are taken out of
 * the inner loop: `sum ab - za sum b - zb sum a + K za zb` (whitepaper, section 2.5).
 * Throws when the accumulator could pass 2^31.
 */
export function integerProduct(
  left: CodeMatrix,
  right: CodeMatrix,
  rightZeros: ArrayLike<number> = new Int32Array(right.rows).fill(right.zero),
): Int32Array {
  const depth = left.columns;
  if (right.columns !== depth) {
    throw new InvalidInputError(
      'right',
      `${depth} codes a row, as the left matrix has`,
      `${right.columns}`,
    );
  }
  checkAccumulator(left, right, depth);
  const leftSums = rowSums(left);
  const rightSums = rowSums(right);
  const output = new Int32Array(left.rows * right.rows);
  const a = left.codes;
  const b = right.codes;
  for (let row = 0; row < left.rows; row++) {
    const start = row * depth;
    const end = start + depth;
    const bias = left.zero * depth;
    let column = 0;
    // Four outputs at a time: each left code is loaded once for four products.
    for (; column + 4 <= right.rows; column += 4) {
      let p0 = column * depth;
      let p1 = p0 + depth;
      let p2 = p1 + depth;
      let p3 = p2 + depth;
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      for (let index = start; index < end; index++) {
        const value = a[index];
        s0 = (s0 + value * b[p0++]) | 0;
        s1 = (s1 + value * b[p1++]) | 0;
        s2 = (s2 + value * b[p2++]) | 0;
        s3 = (s3 + value * b[p3++]) | 0;
      }
      const place = row * right.rows + column;
      output[place] = s0;
      output[place + 1] = s1;
      output[place + 2] = s2;
      output[place + 3] = s3;
    }
    for (; column < right.rows; column++) {
      let sum = 0;
      let position = column * depth;
      for (let index = start; index < end; index++) {
        sum = (sum + a[index] * b[position++]) | 0;
      }
      output[row * right.rows + column] = sum;
    }
    for (let other = 0; other < right.rows; other++) {
      output[row * right.rows + other] +=
        bias * rightZeros[other] -
        left.zero * rightSums[other] -
        rightZeros[other] * leftSums[row];
    }
  }
  return output;
}

/** Accumulators plus bias, rescaled by column, moved by the output's zero point, clamped. */
export function requantize(
  accumulators: Int32Array,
  columns: number,
  bias: ArrayLike<number> | null,
  scales: readonly FixedPointScale[],
  output: { readonly zero: number; readonly lowest: number; readonly highest: number },
): Int32Array {
  const codes = new Int32Array(accumulators.length);
  for (let index = 0; index < codes.length; index++) {
    const column = index % columns;
    const sum = accumulators[index] + (bias ? bias[column] : 0);
    const saturated = Math.min(Math.max(sum, -(2 ** 31)), 2 ** 31 - 1);
    const scale = scales.length === 1 ? scales[0] : scales[column];
    const code = rescale(saturated, scale) + output.zero;
    codes[index] = Math.min(Math.max(code, output.lowest), output.highest);
  }
  return codes;
}

/** The rows of a `[rows, columns]` matrix as columns. */
export function transposeCodes(
  codes: ArrayLike<number>,
  rows: number,
  columns: number,
): Int32Array {
  const turned = new Int32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      turned[column * rows + row] = codes[row * columns + column];
    }
  }
  return turned;
}

function rowSums({ rows, columns, codes }: CodeMatrix): Int32Array {
  const sums = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let column = 0; column < columns; column++) sum += codes[row * columns + column];
    sums[row] = sum;
  }
  return sums;
}

function checkAccumulator(left: CodeMatrix, right: CodeMatrix, depth: number): void {
  const reach = depth * largestMagnitude(left.codes) * largestMagnitude(right.codes);
  if (reach >= 2 ** 31) {
    throw new InvalidInputError(
      'in_features',
      'sums of products below 2^31, the range of an int32 accumulator',
      `up to ${reach} over ${depth} inputs`,
    );
  }
}

function largestMagnitude(codes: ArrayLike<number>): number {
  let reach = 0;
  for (let index = 0; index < codes.length; index++) {
    reach = Math.max(reach, Math.abs(codes[index]));
  }
  return reach;
}
