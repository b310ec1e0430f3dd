/** GGUF files in and out. */

export { blockSize, decodeBlocks, encodeBlocks } from './blocks.ts';
export type { GgufHeader, GgufTensorEntry } from './header.ts';
export {
  type GgufMatrix,
  type GgufPreference,
  ggufMatrix,
  ggufTypeOf,
} from './matrix.ts';
export { type GgufFile, openGguf } from './reader.ts';
export {
  type GgufArray,
  type GgufBlockType,
  type GgufNumberType,
  type GgufTensorType,
  type GgufValue,
  type GgufValueType,
  tensorByteLength,
} from './types.ts';
export { type GgufContent, type GgufTensorToWrite, writeGguf } from './writer.ts';
