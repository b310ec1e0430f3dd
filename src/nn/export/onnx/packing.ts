/** How quantized matrices become ONNX Runtime's MatMulNBits: width of codes and size of blocks. */

import type { QuantizedMatrix } from '../../../array/quantized.ts';
import {
  type MatMulNBitsWeights,
  matMulNBitsBlockSize,
  packMatMulNBits,
} from '../../../format/packed.ts';
import { groupsOf } from '../../../format/quantized-matrix.ts';

/** Widths of codes that the operator takes. */
export const containerBits = [2, 4, 8] as const;

/** Larger blocks have no fast kernels. */
const largestBlock = 256;

/** How a matrix is laid out for MatMulNBits. */
export interface BlockPlan {
  /** Width of a packed code; codes of 3 bits travel in 4, of 5 to 7 in 8. */
  readonly bits: 2 | 4 | 8;
  readonly blockSize: number;
  readonly blocksPerRow: number;
  /** Added to codes and zeros, so that a shared zero point is the operator's own, `2^(bits-1)`. */
  readonly shift: number;
  /** Zero points are written out because the groups have different ones. */
  readonly explicitZeros: boolean;
}

/**
 * The layout of a matrix, or null when its groups cannot be blocks of the operator
 * (several groups a row of a size that 16 does not divide).
 */
export function planBlocks(
  matrix: QuantizedMatrix,
  smallestBits: 2 | 4 = 2,
): BlockPlan | null {
  const legal = matMulNBitsBlockSize(matrix);
  const bits = containerBits.find(
    (width) => width >= smallestBits && width >= matrix.bits,
  );
  if (legal === null || bits === undefined) return null;
  const blockSize = Math.min(legal, largestBlock);
  const shared = sharedZero(matrix);
  const shift = shared === null ? 0 : 2 ** (bits - 1) - shared;
  const fits = shift >= 0 && 2 ** matrix.bits - 1 + shift < 2 ** bits;
  return {
    bits,
    blockSize,
    blocksPerRow: Math.ceil(matrix.shape[1] / blockSize),
    shift: fits ? shift : 0,
    explicitZeros: shared === null || !fits,
  };
}

/** The operator's weights by a plan. */
export function packBlocks(matrix: QuantizedMatrix, plan: BlockPlan): MatMulNBitsWeights {
  const { bits, blockSize, shift } = plan;
  const shifted = (values: Uint8Array): Uint8Array =>
    shift === 0 ? values : values.map((value) => value + shift);
  const wide = {
    ...matrix,
    bits,
    codes: shifted(matrix.codes),
    zeros: shifted(matrix.zeros),
  };
  const several = matrix.groupSize < matrix.shape[1];
  return packMatMulNBits(
    several && matrix.groupSize > blockSize ? regrouped(wide, blockSize) : wide,
  );
}

/** The same matrix with its scales repeated for smaller groups that divide the old ones. */
function regrouped(matrix: QuantizedMatrix, groupSize: number): QuantizedMatrix {
  const [outFeatures, inFeatures] = matrix.shape;
  const before = groupsOf(matrix);
  const after = Math.ceil(inFeatures / groupSize);
  const scales = new Float32Array(outFeatures * after);
  const zeros = new Uint8Array(outFeatures * after);
  for (let row = 0; row < outFeatures; row++) {
    for (let group = 0; group < after; group++) {
      const old = row * before + Math.floor((group * groupSize) / matrix.groupSize);
      scales[row * after + group] = matrix.scales[old]!;
      zeros[row * after + group] = matrix.zeros[old]!;
    }
  }
  return { ...matrix, groupSize, scales, zeros };
}

/** The zero point that all groups share, or null when they differ. */
function sharedZero(matrix: QuantizedMatrix): number | null {
  const first = matrix.zeros[0] ?? 0;
  return matrix.zeros.every((zero) => zero === first) ? first : null;
}
