/** Exact sizes of quantized matrices: packed codes, float16 scales, packed zero points. */

import type { QuantizedMatrix } from '../quantized.ts';

export interface MatrixSize {
  readonly weights: number;
  /** Bits of packed codes. */
  readonly codeBits: number;
  /** Bits of float16 scales, of inputs too; one for all the weights when `perTensor`. */
  readonly scaleBits: number;
  /** Bits of packed zero points; none when symmetric, as the grid fixes them. */
  readonly zeroBits: number;
}

/** Bits that a matrix takes on disk, by part, before any container's padding. */
export function matrixSize(matrix: QuantizedMatrix): MatrixSize {
  const weights = matrix.shape[0] * matrix.shape[1];
  const groups = matrix.perTensor ? 1 : matrix.scales.length;
  return {
    weights,
    codeBits: weights * matrix.bits,
    scaleBits: (groups + (matrix.inputScales?.length ?? 0)) * 16,
    zeroBits: matrix.symmetric ? 0 : groups * matrix.bits,
  };
}

/** Whole bytes of a matrix, every part rounded up to bytes by itself. */
export function matrixBytes(matrix: QuantizedMatrix): number {
  const size = matrixSize(matrix);
  return (
    Math.ceil(size.codeBits / 8) +
    Math.ceil(size.scaleBits / 8) +
    Math.ceil(size.zeroBits / 8)
  );
}

/** Bits a weight, scales and zeros included, over several matrices; 0 for none. */
export function bitsPerWeight(matrices: Iterable<QuantizedMatrix>): number {
  let bits = 0;
  let weights = 0;
  for (const matrix of matrices) {
    const size = matrixSize(matrix);
    bits += size.codeBits + size.scaleBits + size.zeroBits;
    weights += size.weights;
  }
  return weights === 0 ? 0 : bits / weights;
}
