/** What each tensor of a GGUF file is stored as, and its bytes. */

import {
  bfloat16ToFloat,
  floatToBfloat16,
  floatToHalf,
  halfToFloat,
  roundToHalf,
} from '../../../array/float16.ts';
import type { QuantizedMatrix } from '../../../array/quantized.ts';
import type { Shape } from '../../../array/tensor.ts';
import { AssayError } from '../../../error.ts';
import {
  blockSize,
  decodeBlocks,
  encodeBlocks,
  type GgufBlockType,
  type GgufPreference,
  type GgufTensorType,
  ggufMatrix,
  ggufTypeOf,
  tensorByteLength,
} from '../../../format/gguf/index.ts';
import {
  dequantizedValues,
  groupsOf,
  scalesFitHalf,
} from '../../../format/quantized-matrix.ts';
import type { ExportSource } from '../source.ts';
import { interleavedRows, type NamedTensor, reorderedRows } from './names.ts';

/** `exact` takes F16 or BF16 where they lose nothing, else F32. */
export type FloatChoice = 'exact' | 'F16' | 'F32';

export interface TensorChoice {
  /**
   * For quantized matrices: `exact` keeps the very same weights; `compact` takes fewer bits
   * where a minimum rounded to float16 allows, and rounds what no block type holds to Q8_0.
   */
  readonly blocks: GgufPreference;
  /** For embeddings and other float matrices. */
  readonly floats: FloatChoice;
  /** For quantized matrices that no block type holds. */
  readonly fallback: FloatChoice;
}

export interface GgufTensorReport {
  /** Name in the file and of our parameter. */
  readonly name: string;
  readonly parameter: string;
  readonly type: GgufTensorType;
  readonly shape: Shape;
  readonly bytes: number;
  /** Largest difference between a stored value and the model's. */
  readonly maximumDeviation: number;
  /** Why a quantized matrix was not stored as codes; empty otherwise. */
  readonly note: string;
}

/** A tensor whose type is known and whose bytes are made when asked for. */
export interface PlannedTensor {
  readonly name: string;
  readonly parameter: string;
  readonly type: GgufTensorType;
  readonly shape: Shape;
  readonly byteLength: number;
  readonly note: string;
  /** Bytes, and how far the stored values are from the model's. */
  encode(): Promise<{ readonly bytes: Uint8Array; readonly maximumDeviation: number }>;
}

/** Decides the type of one tensor. Reads it when that depends on its values. */
export async function planTensor(
  source: ExportSource,
  tensor: NamedTensor,
  choice: TensorChoice,
): Promise<PlannedTensor> {
  const { parameter } = tensor;
  const matrix = source.matrix(parameter);
  const block = matrix && blockType(matrix, choice.blocks);
  if (block) return plannedBlocks(source, tensor, matrix, block, choice.blocks);
  if (!matrix) return plannedFloats(source, tensor, choice.floats, '');
  const reason = whyNotBlocks(matrix);
  return choice.blocks === 'compact' && matrix.shape[1] % blockSize === 0
    ? plannedRounding(source, tensor, `rounded to 8 bits again: ${reason}`)
    : plannedFloats(source, tensor, choice.fallback, reason);
}

function plannedBlocks(
  source: ExportSource,
  tensor: NamedTensor,
  matrix: QuantizedMatrix,
  type: GgufBlockType,
  preference: GgufPreference,
): PlannedTensor {
  return {
    ...described(source, tensor, type, ''),
    encode: async () => {
      const ordered = orderedMatrix(matrix, rowOrder(source, tensor));
      const { data } = ggufMatrix(ordered, preference);
      const stored = decodeBlocks(type, data);
      const deviation = largestDeviation(stored, dequantizedValues(ordered));
      return { bytes: data, maximumDeviation: deviation };
    },
  };
}

/** Blocks of codes from -127 to 127 with a scale each, whatever the groups were. */
function plannedRounding(
  source: ExportSource,
  tensor: NamedTensor,
  note: string,
): PlannedTensor {
  return {
    ...described(source, tensor, 'Q8_0', note),
    encode: async () => {
      const values = await orderedValues(source, tensor);
      const codes = new Uint8Array(values.length);
      const scales = new Float32Array(values.length / blockSize);
      for (let block = 0; block < scales.length; block++) {
        const first = block * blockSize;
        const part = values.subarray(first, first + blockSize);
        const highest = part.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        const scale = roundToHalf(highest / 127);
        scales[block] = scale;
        part.forEach((value, index) => {
          const code = scale === 0 ? 0 : Math.round(value / scale);
          codes[first + index] = Math.min(Math.max(code, -127), 127) + 128;
        });
      }
      const bytes = encodeBlocks('Q8_0', codes, scales, null);
      const stored = decodeBlocks('Q8_0', bytes);
      return { bytes, maximumDeviation: largestDeviation(stored, values) };
    },
  };
}

async function plannedFloats(
  source: ExportSource,
  tensor: NamedTensor,
  choice: FloatChoice,
  note: string,
): Promise<PlannedTensor> {
  const shape = source.shapes[tensor.parameter]!;
  const read = (): Promise<Float32Array> => orderedValues(source, tensor);
  // llama.cpp adds and multiplies by vectors and learned positions in float32 only.
  const plain = shape.length === 1 || tensor.name === 'position_embd.weight';
  const type = plain ? 'F32' : await floatType(read, choice);
  return {
    ...described(source, tensor, type, note),
    encode: async () => {
      const values = await read();
      const { bytes, stored } = encodeFloats(values, type);
      return { bytes, maximumDeviation: largestDeviation(stored, values) };
    },
  };
}

function described(
  source: ExportSource,
  { name, parameter }: NamedTensor,
  type: GgufTensorType,
  note: string,
): Omit<PlannedTensor, 'encode'> {
  const shape = source.shapes[parameter]!;
  return {
    name,
    parameter,
    type,
    shape,
    byteLength: tensorByteLength(type, shape)!,
    note,
  };
}

type FloatType = 'F16' | 'BF16' | 'F32';

async function floatType(
  read: () => Promise<Float32Array>,
  choice: FloatChoice,
): Promise<FloatType> {
  if (choice === 'F32') return choice;
  const values = await read();
  if (choice === 'F16') {
    // 65520 is where rounding to half gives infinity.
    return values.every((value) => Math.abs(value) < 65520) ? 'F16' : 'F32';
  }
  for (const type of ['F16', 'BF16'] as const) {
    const { stored } = encodeFloats(values, type);
    if (values.every((value, index) => value === stored[index])) return type;
  }
  return 'F32';
}

function encodeFloats(
  values: Float32Array,
  type: FloatType,
): { readonly bytes: Uint8Array; readonly stored: Float32Array } {
  if (type === 'F32') return { bytes: bytesOf(values), stored: values };
  const half = type === 'F16';
  const bits = half ? floatToHalf(values) : floatToBfloat16(values);
  return {
    bytes: bytesOf(bits),
    stored: half ? halfToFloat(bits) : bfloat16ToFloat(bits),
  };
}

function bytesOf(data: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function blockType(
  matrix: QuantizedMatrix,
  preference: GgufPreference,
): GgufBlockType | null {
  return halfScales(matrix) ? ggufTypeOf(matrix, preference) : null;
}

/** Whether float16 holds the scales, rounded if need be. */
function halfScales(matrix: QuantizedMatrix): boolean {
  try {
    scalesFitHalf(matrix.scales);
    return true;
  } catch (error) {
    if (error instanceof AssayError) return false;
    throw error;
  }
}

function whyNotBlocks(matrix: QuantizedMatrix): string {
  const { shape, groupSize } = matrix;
  if (matrix.inputScales) return 'blocks have no scales for the inputs of a layer';
  if (!halfScales(matrix)) return 'a scale is outside of float16';
  if (shape[1] % blockSize !== 0) return `${shape[1]} inputs are not whole blocks of 32`;
  if (groupSize < shape[1] && groupSize % blockSize !== 0) {
    return `groups of ${groupSize} are not whole blocks of 32`;
  }
  return 'codes are more than a signed byte away from their zero points';
}

/** The values of a tensor with its rows in the file's order. */
async function orderedValues(
  source: ExportSource,
  tensor: NamedTensor,
): Promise<Float32Array> {
  const { data, shape } = await source.read(tensor.parameter);
  const rows = rowOrder(source, tensor);
  return rows ? reorderedRows(data, data.length / shape[0]!, rows) : data;
}

function rowOrder(source: ExportSource, tensor: NamedTensor): Int32Array | null {
  const { interleavedHeads } = tensor;
  if (interleavedHeads === null) return null;
  return interleavedRows(interleavedHeads, source.config.headSize);
}

function orderedMatrix(
  matrix: QuantizedMatrix,
  rows: Int32Array | null,
): QuantizedMatrix {
  if (!rows) return matrix;
  const groups = groupsOf(matrix);
  return {
    ...matrix,
    codes: reorderedRows(matrix.codes, matrix.shape[1], rows),
    scales: reorderedRows(matrix.scales, groups, rows),
    zeros: reorderedRows(matrix.zeros, groups, rows),
  };
}

function largestDeviation(stored: Float32Array, values: Float32Array): number {
  let largest = 0;
  for (let index = 0; index < values.length; index++) {
    const deviation = Math.abs(stored[index]! - values[index]!);
    if (deviation > largest) largest = deviation;
  }
  return largest;
}
