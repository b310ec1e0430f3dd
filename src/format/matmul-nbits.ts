/**
 * The weight layout of ONNX Runtime's `com.microsoft.MatMulNBits`: each output's inputs in
 * blocks, each block's codes packed into bytes, lowest bits first.
 */

import type { QuantizedMatrix } from '../array/quantized.ts';
import type { Tensor } from '../array/tensor.ts';
import { InvalidInputError } from '../error.ts';
import { packBits, packedBytes, unpackBits } from './bit-packing.ts';
import { checkQuantizedMatrix, groupsOf } from './quantized-matrix.ts';

export interface MatMulNBitsWeights {
  /** Attribute `K`. */
  readonly inFeatures: number;
  /** Attribute `N`. */
  readonly outFeatures: number;
  readonly bits: number;
  readonly blockSize: number;
  /** Input `B`: `[N, blocks, blockSize * bits / 8]`. */
  readonly blocks: Tensor<'uint8'>;
  /** `[N, blocks]`. */
  readonly scales: Tensor;
  /** `[N, ceil(blocks * bits / 8)]`; null when all are `2^(bits-1)`, the operator's default. */
  readonly zeroPoints: Tensor<'uint8'> | null;
}

const smallestBlock = 16;

/**
 * The operator's block size for a matrix: its group where that is a power of two of at
 * least 16, else the largest such block that divides it (groups repeat their scale), and
 * 32 for one group a row. Null when there is none.
 */
export function matMulNBitsBlockSize(matrix: QuantizedMatrix): number | null {
  const { groupSize } = matrix;
  const inFeatures = matrix.shape[1];
  // One group: blocks may be cut anywhere, so the last one can be padded.
  if (groupSize >= inFeatures && groupSize % smallestBlock !== 0) return 32;
  const largest = groupSize & -groupSize;
  const block = groupSize >= inFeatures ? Math.min(largest, 128) : largest;
  return block >= smallestBlock ? block : null;
}

/**
 * Packs a matrix. Inputs missing in the last block are padded with the zero point.
 * The operator is defined for 2 to 8 bits, but ONNX Runtime 1.30 on the CPU runs 2, 4 and 8:
 * `widenCodes` makes the others runnable without changing a weight.
 * @throws InvalidInputError when no block size of the operator fits the groups.
 */
export function packMatMulNBits(matrix: QuantizedMatrix): MatMulNBitsWeights {
  checkQuantizedMatrix(matrix);
  const { bits, groupSize, codes, scales, zeros } = matrix;
  const [outFeatures, inFeatures] = matrix.shape;
  const blockSize = matMulNBitsBlockSize(matrix);
  if (blockSize === null) {
    const expected = 'a group that is a multiple of 16, or one group a row';
    throw new InvalidInputError('matrix.groupSize', expected, `${groupSize}`);
  }
  const groups = groupsOf(matrix);
  const blocks = Math.ceil(inFeatures / blockSize);
  const blob = (blockSize * bits) / 8;
  const zeroBytes = packedBytes(blocks, bits);
  const packed = new Uint8Array(outFeatures * blocks * blob);
  const blockScales = new Float32Array(outFeatures * blocks);
  const packedZeros = new Uint8Array(outFeatures * zeroBytes);
  const rowCodes = new Uint8Array(blocks * blockSize);
  const rowZeros = new Uint8Array(blocks);
  for (let row = 0; row < outFeatures; row++) {
    rowCodes.set(codes.subarray(row * inFeatures, (row + 1) * inFeatures));
    for (let block = 0; block < blocks; block++) {
      const group = row * groups + Math.floor((block * blockSize) / groupSize);
      blockScales[row * blocks + block] = scales[group]!;
      rowZeros[block] = zeros[group]!;
    }
    rowCodes.fill(rowZeros[blocks - 1]!, inFeatures);
    packed.set(packBits(rowCodes, bits), row * blocks * blob);
    packedZeros.set(packBits(rowZeros, bits), row * zeroBytes);
  }
  const usual = zeros.every((zero) => zero === 2 ** (bits - 1));
  return {
    inFeatures,
    outFeatures,
    bits,
    blockSize,
    blocks: { dtype: 'uint8', shape: [outFeatures, blocks, blob], data: packed },
    scales: { dtype: 'float32', shape: [outFeatures, blocks], data: blockScales },
    zeroPoints: usual
      ? null
      : { dtype: 'uint8', shape: [outFeatures, zeroBytes], data: packedZeros },
  };
}

/** The matrix of packed weights, one group a block. */
export function unpackMatMulNBits(weights: MatMulNBitsWeights): QuantizedMatrix {
  const { inFeatures, outFeatures, bits, blockSize, zeroPoints } = weights;
  const blocks = Math.ceil(inFeatures / blockSize);
  const blob = (blockSize * bits) / 8;
  const shapes: [string, readonly number[], Tensor<'uint8'> | Tensor | null][] = [
    ['blocks', [outFeatures, blocks, blob], weights.blocks],
    ['scales', [outFeatures, blocks], weights.scales],
    ['zeroPoints', [outFeatures, packedBytes(blocks, bits)], zeroPoints],
  ];
  for (const [name, expected, tensor] of shapes) {
    if (tensor && tensor.shape.join() !== expected.join()) {
      const received = `[${tensor.shape.join(', ')}]`;
      throw new InvalidInputError(name, `shape [${expected.join(', ')}]`, received);
    }
  }
  const codes = new Uint8Array(outFeatures * inFeatures);
  const zeros = new Uint8Array(outFeatures * blocks).fill(2 ** (bits - 1));
  for (let row = 0; row < outFeatures; row++) {
    const bytes = weights.blocks.data.subarray(
      row * blocks * blob,
      (row + 1) * blocks * blob,
    );
    codes.set(unpackBits(bytes, bits, inFeatures), row * inFeatures);
    if (zeroPoints) {
      const width = packedBytes(blocks, bits);
      const rowZeros = zeroPoints.data.subarray(row * width, (row + 1) * width);
      zeros.set(unpackBits(rowZeros, bits, blocks), row * blocks);
    }
  }
  return {
    shape: [outFeatures, inFeatures],
    bits,
    groupSize: Math.min(blockSize, inFeatures),
    codes,
    scales: Float32Array.from(weights.scales.data),
    zeros,
    symmetric: zeroPoints === null,
    perTensor: false,
  };
}
