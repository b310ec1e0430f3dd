/** Integer codes as ONNX Runtime's MatMulNBits operator wants them: packed in blocks of inputs. */

import type { QuantizedMatrix } from '../../../array/quantized.ts';
import { groupsPerRow, sharedZero } from '../source.ts';

/** Widths of codes and sizes of blocks that the operator takes. */
export const containerBits = [2, 4, 8] as const;
export const blockSizes = [256, 128, 64, 32, 16] as const;

/** How a matrix is laid out for MatMulNBits. */
export interface BlockPlan {
  /** Width of a packed code; codes of 3 bits travel in 4, of 5 to 7 in 8. */
  readonly bits: 2 | 4 | 8;
  readonly blockSize: number;
  readonly blocksPerRow: number;
  /** Added to every code, so that a shared zero point is the operator's own, `2^(bits-1)`. */
  readonly shift: number;
  /** Zero points are written out because the groups have different ones. */
  readonly explicitZeros: boolean;
}

export interface PackedMatrix {
  /** `[outFeatures, blocksPerRow, blockSize * bits / 8]` */
  readonly codes: Uint8Array;
  /** `[outFeatures, blocksPerRow]` */
  readonly scales: Float32Array;
  /** `[outFeatures, ceil(blocksPerRow * bits / 8)]`, or null for the operator's default. */
  readonly zeros: Uint8Array | null;
}

/**
 * The layout of a matrix, or null when its groups cannot be blocks of the operator
 * (several groups a row whose size no legal block divides).
 */
export function planBlocks(
  matrix: QuantizedMatrix,
  smallestBits: 2 | 4 = 2,
): BlockPlan | null {
  const [, inFeatures] = matrix.shape;
  const single = groupsPerRow(matrix) === 1;
  // Beyond 128 the operator's fast kernels stop for some widths; one group repeats anyway.
  const blockSize = single
    ? (blockSizes.find((size) => size <= 128 && size <= inFeatures) ?? 16)
    : blockSizes.find((size) => matrix.groupSize % size === 0);
  if (blockSize === undefined) return null;
  const shared = sharedZero(matrix);
  const largest = 2 ** matrix.bits - 1;
  for (const bits of containerBits) {
    if (bits < smallestBits || bits < matrix.bits) continue;
    const shift = shared === null ? 0 : 2 ** (bits - 1) - shared;
    const fits = shift >= 0 && largest + shift < 2 ** bits;
    return {
      bits,
      blockSize,
      blocksPerRow: Math.ceil(inFeatures / blockSize),
      shift: fits ? shift : 0,
      explicitZeros: shared === null || !fits,
    };
  }
  return null;
}

/** Packs codes low bits first, rows padded to whole blocks with codes of value 0. */
export function packBlocks(matrix: QuantizedMatrix, plan: BlockPlan): PackedMatrix {
  const [outFeatures, inFeatures] = matrix.shape;
  const { bits, blockSize, blocksPerRow, shift } = plan;
  const groups = groupsPerRow(matrix);
  const perByte = 8 / bits;
  const rowBytes = (blocksPerRow * blockSize) / perByte;
  const zeroBytes = Math.ceil(blocksPerRow / perByte);
  const codes = new Uint8Array(outFeatures * rowBytes);
  const scales = new Float32Array(outFeatures * blocksPerRow);
  const zeros = plan.explicitZeros ? new Uint8Array(outFeatures * zeroBytes) : null;
  for (let row = 0; row < outFeatures; row++) {
    for (let block = 0; block < blocksPerRow; block++) {
      const first = block * blockSize;
      const group = row * groups + Math.floor(first / matrix.groupSize);
      const zero = matrix.zeros[group]! + shift;
      scales[row * blocksPerRow + block] = matrix.scales[group]!;
      if (zeros) {
        const place = row * zeroBytes + Math.floor(block / perByte);
        zeros[place]! |= zero << (bits * (block % perByte));
      }
      const start = row * rowBytes + first / perByte;
      for (let offset = 0; offset < blockSize; offset++) {
        const input = first + offset;
        const code =
          input < inFeatures ? matrix.codes[row * inFeatures + input]! + shift : zero;
        codes[start + Math.floor(offset / perByte)]! |=
          code << (bits * (offset % perByte));
      }
    }
  }
  return { codes, scales, zeros };
}
