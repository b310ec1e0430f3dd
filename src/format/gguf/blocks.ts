/** Blocks of 32 quantized values as ggml lays them out, from codes and back to numbers. */

import { floatToHalf, halfToFloat } from '../../array/float16.ts';
import { InvalidInputError } from '../../error.ts';
import { type GgufBlockType, tensorTypes } from './types.ts';

/** Values in a block. */
export const blockSize = 32;

/** How the codes of a block type are stored: bits, and the code that means 0. */
const layouts = {
  Q4_0: { bits: 4, offset: 8, hasMinimum: false },
  Q4_1: { bits: 4, offset: 0, hasMinimum: true },
  Q5_0: { bits: 5, offset: 16, hasMinimum: false },
  Q5_1: { bits: 5, offset: 0, hasMinimum: true },
  Q8_0: { bits: 8, offset: 128, hasMinimum: false },
} as const satisfies Record<
  GgufBlockType,
  { bits: number; offset: number; hasMinimum: boolean }
>;

/**
 * Writes blocks. Codes are unsigned, 32 a block; `value = (code - offset) * scale` with
 * offset 8, 16 or 128 for Q4_0, Q5_0 and Q8_0, and `value = code * scale + minimum` for
 * Q4_1 and Q5_1. Scales and minimums are rounded to float16.
 *
 * @throws InvalidInputError for lengths that disagree or codes beyond the type's bits.
 */
export function encodeBlocks(
  type: GgufBlockType,
  codes: Uint8Array,
  scales: Float32Array,
  minimums: Float32Array | null,
): Uint8Array<ArrayBuffer> {
  const { bits, hasMinimum } = layouts[type];
  const blocks = codes.length / blockSize;
  if (!Number.isInteger(blocks) || scales.length !== blocks) {
    const received = `${codes.length} codes and ${scales.length} scales`;
    throw new InvalidInputError('codes', `${blockSize} codes a scale`, received);
  }
  if (hasMinimum !== (minimums !== null) || (minimums && minimums.length !== blocks)) {
    const expected = hasMinimum ? `${blocks} for ${type}` : `null for ${type}`;
    throw new InvalidInputError('minimums', expected, `${minimums?.length ?? 'null'}`);
  }
  const wrong = codes.findIndex((code) => code >= 2 ** bits);
  if (wrong >= 0) {
    throw new InvalidInputError(
      `codes[${wrong}]`,
      `below ${2 ** bits}`,
      `${codes[wrong]}`,
    );
  }
  const { blockBytes } = tensorTypes[type];
  const bytes = new Uint8Array(blocks * blockBytes);
  const view = new DataView(bytes.buffer);
  const scaleBits = floatToHalf(scales);
  const minimumBits = minimums && floatToHalf(minimums);
  for (let block = 0; block < blocks; block++) {
    let at = block * blockBytes;
    view.setUint16(at, scaleBits[block]!, true);
    at += 2;
    if (minimumBits) {
      view.setUint16(at, minimumBits[block]!, true);
      at += 2;
    }
    const first = block * blockSize;
    if (bits === 8) {
      // Stored signed: 128 less.
      for (let index = 0; index < blockSize; index++) {
        bytes[at + index] = codes[first + index]! ^ 0x80;
      }
      continue;
    }
    if (bits === 5) {
      let high = 0;
      for (let index = 0; index < blockSize; index++) {
        high |= (codes[first + index]! >> 4) << index;
      }
      view.setInt32(at, high, true);
      at += 4;
    }
    // The first half of the block takes the low nibbles, the second the high ones.
    for (let index = 0; index < blockSize / 2; index++) {
      const low = codes[first + index]! & 15;
      const high = codes[first + index + blockSize / 2]! & 15;
      bytes[at + index] = low | (high << 4);
    }
  }
  return bytes;
}

/** The numbers in blocks, as float32. */
export function decodeBlocks(type: GgufBlockType, bytes: Uint8Array): Float32Array {
  const { bits, offset, hasMinimum } = layouts[type];
  const { blockBytes } = tensorTypes[type];
  const blocks = Math.floor(bytes.length / blockBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float32Array(blocks * blockSize);
  const scaleBits = new Uint16Array(blocks);
  const minimumBits = new Uint16Array(blocks);
  for (let block = 0; block < blocks; block++) {
    scaleBits[block] = view.getUint16(block * blockBytes, true);
    if (hasMinimum) minimumBits[block] = view.getUint16(block * blockBytes + 2, true);
  }
  const scales = halfToFloat(scaleBits);
  const minimums = halfToFloat(minimumBits);
  for (let block = 0; block < blocks; block++) {
    let at = block * blockBytes + (hasMinimum ? 4 : 2);
    const scale = scales[block]!;
    const minimum = minimums[block]!;
    let high = 0;
    if (bits === 5) {
      high = view.getInt32(at, true);
      at += 4;
    }
    const first = block * blockSize;
    for (let index = 0; index < blockSize; index++) {
      let code: number;
      if (bits === 8) {
        code = bytes[at + index]! ^ 0x80;
      } else {
        const byte = bytes[at + (index % (blockSize / 2))]!;
        code = index < blockSize / 2 ? byte & 15 : byte >> 4;
        code |= ((high >>> index) & 1) << 4;
      }
      values[first + index] = (code - offset) * scale + minimum;
    }
  }
  return values;
}
