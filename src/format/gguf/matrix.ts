/** Quantized matrices as GGUF blocks: which type holds one, and its bytes. */

import { roundToHalf } from '../../array/float16.ts';
import type { QuantizedMatrix } from '../../array/quantized.ts';
import { InvalidInputError } from '../../error.ts';
import { checkQuantizedMatrix, groupsOf, scalesFitHalf } from '../quantized-matrix.ts';
import { blockSize, encodeBlocks } from './blocks.ts';
import type { GgufBlockType } from './types.ts';

/**
 * `exact` takes the smallest type whose blocks hold the very same weights; `compact` stores
 * an affine matrix of at most 5 bits as scale and minimum (Q4_1, Q5_1), which rounds
 * `-zero * scale` to float16, in fewer bits than the exact type.
 */
export type GgufPreference = 'exact' | 'compact';

export interface GgufMatrix {
  readonly type: GgufBlockType;
  readonly data: Uint8Array;
  /** Whether the blocks hold the matrix's weights without any rounding. */
  readonly exact: boolean;
}

const signedTypes = [
  { type: 'Q4_0', offset: 8, levels: 16 },
  { type: 'Q5_0', offset: 16, levels: 32 },
  { type: 'Q8_0', offset: 128, levels: 256 },
] as const;

/**
 * The block type for a matrix, or null when GGUF has none here: scaled inputs, groups that
 * are not a multiple of 32, or 8-bit codes too far from their zero point for a signed byte.
 */
export function ggufTypeOf(
  matrix: QuantizedMatrix,
  preference: GgufPreference = 'exact',
): GgufBlockType | null {
  const inFeatures = matrix.shape[1];
  const wholeGroups =
    matrix.groupSize % blockSize === 0 || matrix.groupSize >= inFeatures;
  if (matrix.inputScales || inFeatures % blockSize !== 0 || !wholeGroups) return null;
  const { least, most } = signedRange(matrix);
  if (preference === 'compact' && matrix.bits <= 5) {
    if (!(least >= -8 && most <= 7)) return matrix.bits <= 4 ? 'Q4_1' : 'Q5_1';
  }
  const fits = signedTypes.find(
    ({ offset, levels }) => least >= -offset && most < levels - offset,
  );
  return fits?.type ?? null;
}

/**
 * A matrix as blocks, rows in order. Scales are rounded to float16 where they are not
 * halves; `exact` tells.
 *
 * @throws InvalidInputError when no type holds the matrix (see `ggufTypeOf`) or a scale is
 * beyond float16.
 */
export function ggufMatrix(
  matrix: QuantizedMatrix,
  preference: GgufPreference = 'exact',
): GgufMatrix {
  checkQuantizedMatrix(matrix);
  const type = ggufTypeOf(matrix, preference);
  if (type === null) {
    throw new InvalidInputError(
      'matrix',
      'unscaled inputs, inputs and groups that are multiples of 32, codes within 128 of ' +
        'their zero point',
      `${matrix.inputScales ? 'scaled inputs, ' : ''}shape [${matrix.shape.join(', ')}], ` +
        `groups of ${matrix.groupSize}`,
    );
  }
  const scalesExact = scalesFitHalf(matrix.scales, 'matrix.scales');
  const { scales, zeros } = perBlock(matrix);
  const signed = signedTypes.find((candidate) => candidate.type === type);
  if (signed) {
    const codes = new Uint8Array(matrix.codes.length);
    for (let index = 0; index < codes.length; index++) {
      const zero = zeros[Math.floor(index / blockSize)]!;
      codes[index] = matrix.codes[index]! - zero + signed.offset;
    }
    return { type, data: encodeBlocks(type, codes, scales, null), exact: scalesExact };
  }
  const minimums = scales.map((scale, block) => -zeros[block]! * scale);
  const exact =
    scalesExact && minimums.every((minimum) => roundToHalf(minimum) === minimum);
  return { type, data: encodeBlocks(type, matrix.codes, scales, minimums), exact };
}

function signedRange(matrix: QuantizedMatrix): { least: number; most: number } {
  const { codes, zeros, groupSize } = matrix;
  const [outFeatures, inFeatures] = matrix.shape;
  const groups = groupsOf(matrix);
  let least = 0;
  let most = 0;
  for (let row = 0; row < outFeatures; row++) {
    for (let column = 0; column < inFeatures; column++) {
      const zero = zeros[row * groups + Math.floor(column / groupSize)]!;
      const signed = codes[row * inFeatures + column]! - zero;
      if (signed < least) least = signed;
      if (signed > most) most = signed;
    }
  }
  return { least, most };
}

function perBlock(matrix: QuantizedMatrix): { scales: Float32Array; zeros: Uint8Array } {
  const [outFeatures, inFeatures] = matrix.shape;
  const groups = groupsOf(matrix);
  const blocks = inFeatures / blockSize;
  const scales = new Float32Array(outFeatures * blocks);
  const zeros = new Uint8Array(outFeatures * blocks);
  for (let row = 0; row < outFeatures; row++) {
    for (let block = 0; block < blocks; block++) {
      const group = row * groups + Math.floor((block * blockSize) / matrix.groupSize);
      scales[row * blocks + block] = matrix.scales[group]!;
      zeros[row * blocks + block] = matrix.zeros[group]!;
    }
  }
  return { scales, zeros };
}
