/**
 * The GPTQ checkpoint layout of a linear layer, as AutoGPTQ and GPTQModel write it and vLLM,
 * SGLang and transformers load it: codes packed into int32 along the input dimension.
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

export interface GptqTensors {
  /** `[inFeatures * bits / 32, outFeatures]`. */
  readonly qweight: Tensor<'int32'>;
  /** `[groups, outFeatures * bits / 32]`. */
  readonly qzeros: Tensor<'int32'>;
  /** `[groups, outFeatures]`. */
  readonly scales: Tensor<'float16'>;
  /** `[inFeatures]`: the group of each input. */
  readonly g_idx: Tensor<'int32'>;
}

/**
 * How zero points are stored: `v1` one less than they are (checkpoint format `gptq`, which
 * every loader knows, and which has no way to say 0), `v2` as they are (`gptq_v2`).
 */
export type GptqZeros = 'v1' | 'v2';

export interface PackedGptq extends GptqTensors {
  /** Whether all scales are halves, so that nothing was rounded. */
  readonly exact: boolean;
}

/**
 * Packs a matrix. Codes of one output lie along its column as one stream of bits, lowest
 * first; with 3 bits a code can straddle two words. Loaders know 2, 3, 4 and 8 bits: use
 * `widenCodes` for 5 to 7.
 *
 * @throws InvalidInputError when a size is not a multiple of 32, scales leave float16's
 * range, or `v1` is asked for a zero point of 0.
 */
export function packGptq(matrix: QuantizedMatrix, zeroFormat: GptqZeros): PackedGptq {
  checkQuantizedMatrix(matrix);
  refuseInputScales(matrix, 'GPTQ');
  const { bits, groupSize, codes, zeros } = matrix;
  const [outFeatures, inFeatures] = matrix.shape;
  if (inFeatures % 32 !== 0 || outFeatures % 32 !== 0) {
    const expected =
      'sizes that are multiples of 32 (the GPTQ layout packs 32 at a time)';
    throw new InvalidInputError('matrix.shape', expected, `[${matrix.shape.join(', ')}]`);
  }
  const groups = groupsOf(matrix);
  const subtracted = zeroFormat === 'v1' ? 1 : 0;
  if (subtracted > 0 && zeros.includes(0)) {
    throw new InvalidInputError(
      'matrix.zeros',
      'zero points of at least 1: the v1 format stores them less one (use v2)',
      `0 at ${zeros.indexOf(0)}`,
    );
  }
  const exact = scalesFitHalf(matrix.scales, 'matrix.scales');
  const qweight = new Int32Array((inFeatures / 32) * bits * outFeatures);
  for (let input = 0; input < inFeatures; input++) {
    const { word, shift } = place(input, bits);
    for (let output = 0; output < outFeatures; output++) {
      const code = codes[output * inFeatures + input]!;
      deposit(qweight, word * outFeatures + output, outFeatures, shift, code, bits);
    }
  }
  const zeroWords = (outFeatures / 32) * bits;
  const qzeros = new Int32Array(groups * zeroWords);
  for (let output = 0; output < outFeatures; output++) {
    const { word, shift } = place(output, bits);
    for (let group = 0; group < groups; group++) {
      const code = zeros[output * groups + group]! - subtracted;
      deposit(qzeros, group * zeroWords + word, 1, shift, code, bits);
    }
  }
  return {
    exact,
    qweight: {
      dtype: 'int32',
      shape: [(inFeatures / 32) * bits, outFeatures],
      data: qweight,
    },
    qzeros: { dtype: 'int32', shape: [groups, zeroWords], data: qzeros },
    scales: {
      dtype: 'float16',
      shape: [groups, outFeatures],
      data: transposedHalves(matrix.scales, outFeatures, groups),
    },
    g_idx: {
      dtype: 'int32',
      shape: [inFeatures],
      data: Int32Array.from({ length: inFeatures }, (_, input) =>
        Math.floor(input / groupSize),
      ),
    },
  };
}

/**
 * The matrix of packed tensors; `name` is the layer, for errors.
 *
 * @throws InvalidFileError when shapes disagree, `g_idx` is not in order of the inputs
 * (written with act-order) or a zero point is out of range.
 */
export function unpackGptq(
  tensors: GptqTensors,
  options: {
    readonly bits: number;
    readonly groupSize: number;
    readonly zeros: GptqZeros;
    readonly file?: string;
    readonly name?: string;
  },
): QuantizedMatrix {
  const { bits, file = 'checkpoint', name = 'layer' } = options;
  const { qweight, qzeros, scales, g_idx } = tensors;
  const fail = (field: string, expected: string, received: string): never => {
    throw new InvalidFileError(file, `${name}.${field}`, expected, received);
  };
  if (!Number.isInteger(bits) || bits < 2 || bits > 8) fail('bits', '2 to 8', `${bits}`);
  const [rows = 0, outFeatures = 0] = qweight.shape;
  const inFeatures = (rows / bits) * 32;
  const groupSize = options.groupSize === -1 ? inFeatures : options.groupSize;
  if (
    qweight.shape.length !== 2 ||
    rows % bits !== 0 ||
    rows === 0 ||
    outFeatures === 0
  ) {
    fail('qweight', `[inputs * ${bits} / 32, outputs]`, `[${qweight.shape.join(', ')}]`);
  }
  if (outFeatures % 32 !== 0) fail('qweight', 'outputs % 32 = 0', `${outFeatures}`);
  if (!Number.isInteger(groupSize) || groupSize < 1 || groupSize > inFeatures) {
    fail('group_size', `-1 or 1 to ${inFeatures}`, `${groupSize}`);
  }
  const groups = Math.ceil(inFeatures / groupSize);
  const zeroWords = (outFeatures / 32) * bits;
  const shapes: [string, readonly number[], readonly number[]][] = [
    ['qzeros', [groups, zeroWords], qzeros.shape],
    ['scales', [groups, outFeatures], scales.shape],
    ['g_idx', [inFeatures], g_idx.shape],
  ];
  for (const [field, expected, received] of shapes) {
    if (expected.join() !== received.join()) {
      fail(field, `shape [${expected.join(', ')}]`, `[${received.join(', ')}]`);
    }
  }
  const moved = g_idx.data.findIndex(
    (group, input) => group !== Math.floor(input / groupSize),
  );
  if (moved >= 0) {
    fail(
      `g_idx[${moved}]`,
      `group ${Math.floor(moved / groupSize)}`,
      `${g_idx.data[moved]}`,
    );
  }
  const codes = new Uint8Array(outFeatures * inFeatures);
  for (let input = 0; input < inFeatures; input++) {
    const { word, shift } = place(input, bits);
    for (let output = 0; output < outFeatures; output++) {
      const at = word * outFeatures + output;
      codes[output * inFeatures + input] = withdraw(
        qweight.data,
        at,
        outFeatures,
        shift,
        bits,
      );
    }
  }
  const added = options.zeros === 'v1' ? 1 : 0;
  const values = new Float32Array(outFeatures * groups);
  const zeros = new Uint8Array(outFeatures * groups);
  for (let output = 0; output < outFeatures; output++) {
    const { word, shift } = place(output, bits);
    for (let group = 0; group < groups; group++) {
      const zero =
        withdraw(qzeros.data, group * zeroWords + word, 1, shift, bits) + added;
      if (zero >= 2 ** bits) fail('qzeros', `zero points below ${2 ** bits}`, `${zero}`);
      zeros[output * groups + group] = zero;
      values[output * groups + group] = scales.data[group * outFeatures + output]!;
    }
  }
  return {
    shape: [outFeatures, inFeatures],
    bits,
    groupSize,
    codes,
    scales: values,
    zeros,
    symmetric: zeros.every((zero) => zero === 2 ** (bits - 1)),
    perTensor: false,
  };
}

function place(index: number, bits: number): { word: number; shift: number } {
  const bit = index * bits;
  return { word: Math.floor(bit / 32), shift: bit % 32 };
}

function deposit(
  words: Int32Array,
  at: number,
  stride: number,
  shift: number,
  code: number,
  bits: number,
): void {
  words[at] = words[at]! | (code << shift);
  if (shift + bits > 32) {
    words[at + stride] = words[at + stride]! | (code >>> (32 - shift));
  }
}

function withdraw(
  words: Int32Array,
  at: number,
  stride: number,
  shift: number,
  bits: number,
): number {
  let value = words[at]! >>> shift;
  if (shift + bits > 32) value |= words[at + stride]! << (32 - shift);
  return value & ((1 << bits) - 1);
}
