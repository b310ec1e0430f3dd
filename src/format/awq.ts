/**
 * The AWQ checkpoint layout of a linear layer (AutoAWQ's GEMM version): 4-bit codes, eight
 * outputs in an int32, in the interleaved order that its kernels unpack fastest.
 */

import type { QuantizedMatrix } from '../array/quantized.ts';
import type { Tensor } from '../array/tensor.ts';
import { InvalidFileError, InvalidInputError } from '../error.ts';
import {
  checkQuantizedMatrix,
  groupsOf,
  refuseInputScales,
  scalesFitHalf,
  transposedHalves,
} from './quantized-matrix.ts';

export interface AwqTensors {
  /** `[inFeatures, outFeatures / 8]`. */
  readonly qweight: Tensor<'int32'>;
  /** `[groups, outFeatures / 8]`: zero points as they are. */
  readonly qzeros: Tensor<'int32'>;
  /** `[groups, outFeatures]`. */
  readonly scales: Tensor<'float16'>;
}

export interface PackedAwq extends AwqTensors {
  /** Whether all scales are halves, so that nothing was rounded. */
  readonly exact: boolean;
}

/** Nibble `n` of a word, lowest first, holds output `order[n]` of the word's eight. */
const order = [0, 2, 4, 6, 1, 3, 5, 7] as const;

/**
 * Packs a 4-bit matrix.
 *
 * @throws InvalidInputError for other bits, outputs that are not a multiple of 8, inputs
 * that are not a multiple of the group, or scales outside of float16's range.
 */
export function packAwq(matrix: QuantizedMatrix): PackedAwq {
  checkQuantizedMatrix(matrix);
  refuseInputScales(matrix, 'AWQ');
  const { bits, groupSize, codes, zeros } = matrix;
  const [outFeatures, inFeatures] = matrix.shape;
  if (bits !== 4) {
    throw new InvalidInputError(
      'matrix.bits',
      '4: the AWQ layout has no other',
      `${bits}`,
    );
  }
  if (outFeatures % 8 !== 0 || inFeatures % groupSize !== 0) {
    throw new InvalidInputError(
      'matrix.shape',
      `outputs % 8 = 0 and inputs % ${groupSize} = 0`,
      `[${matrix.shape.join(', ')}]`,
    );
  }
  const groups = groupsOf(matrix);
  return {
    exact: scalesFitHalf(matrix.scales, 'matrix.scales'),
    qweight: packColumns(codes, outFeatures, inFeatures),
    qzeros: packColumns(zeros, outFeatures, groups),
    scales: {
      dtype: 'float16',
      shape: [groups, outFeatures],
      data: transposedHalves(matrix.scales, outFeatures, groups),
    },
  };
}

/**
 * The matrix of packed tensors; the group size follows from the shapes.
 * @throws InvalidFileError when shapes disagree.
 */
export function unpackAwq(
  tensors: AwqTensors,
  place: { readonly file?: string; readonly name?: string } = {},
): QuantizedMatrix {
  const { qweight, qzeros, scales } = tensors;
  const { file = 'checkpoint', name = 'layer' } = place;
  const [inFeatures = 0, words = 0] = qweight.shape;
  const [groups = 0] = scales.shape;
  const outFeatures = words * 8;
  const groupSize = inFeatures / groups;
  const fits =
    qweight.shape.length === 2 &&
    outFeatures > 0 &&
    Number.isInteger(groupSize) &&
    groupSize > 0 &&
    scales.shape.join() === [groups, outFeatures].join() &&
    qzeros.shape.join() === [groups, words].join();
  if (!fits) {
    const shown = [qweight, qzeros, scales].map(
      (tensor) => `[${tensor.shape.join(', ')}]`,
    );
    throw new InvalidFileError(
      file,
      name,
      'qweight [inputs, outputs / 8], qzeros [groups, outputs / 8], scales [groups, outputs]',
      shown.join(', '),
    );
  }
  const zeros = unpackColumns(qzeros.data, outFeatures, groups);
  const values = new Float32Array(outFeatures * groups);
  for (let group = 0; group < groups; group++) {
    for (let output = 0; output < outFeatures; output++) {
      values[output * groups + group] = scales.data[group * outFeatures + output]!;
    }
  }
  return {
    shape: [outFeatures, inFeatures],
    bits: 4,
    groupSize,
    codes: unpackColumns(qweight.data, outFeatures, inFeatures),
    scales: values,
    zeros,
    symmetric: zeros.every((zero) => zero === 8),
    perTensor: false,
  };
}

/** `[outputs, columns]` codes to `[columns, outputs / 8]` words. */
function packColumns(
  codes: Uint8Array,
  outputs: number,
  columns: number,
): Tensor<'int32'> {
  const words = outputs / 8;
  const data = new Int32Array(columns * words);
  for (let column = 0; column < columns; column++) {
    for (let word = 0; word < words; word++) {
      let value = 0;
      for (let nibble = 0; nibble < 8; nibble++) {
        const output = word * 8 + order[nibble]!;
        value |= codes[output * columns + column]! << (4 * nibble);
      }
      data[column * words + word] = value;
    }
  }
  return { dtype: 'int32', shape: [columns, words], data };
}

function unpackColumns(data: Int32Array, outputs: number, columns: number): Uint8Array {
  const words = outputs / 8;
  const codes = new Uint8Array(outputs * columns);
  for (let column = 0; column < columns; column++) {
    for (let word = 0; word < words; word++) {
      const value = data[column * words + word]!;
      for (let nibble = 0; nibble < 8; nibble++) {
        const output = word * 8 + order[nibble]!;
        codes[output * columns + column] = (value >>> (4 * nibble)) & 15;
      }
    }
  }
  return codes;
}
