/** Packed layouts of quantized matrices: GPTQ, AWQ and ONNX Runtime's MatMulNBits. */

export { type AwqTensors, type PackedAwq, packAwq, unpackAwq } from './awq.ts';
export { packBits, packedBytes, unpackBits } from './bit-packing.ts';
export {
  type GptqTensors,
  type GptqZeros,
  type PackedGptq,
  packGptq,
  unpackGptq,
} from './gptq.ts';
export {
  type MatMulNBitsWeights,
  matMulNBitsBlockSize,
  packMatMulNBits,
  unpackMatMulNBits,
} from './matmul-nbits.ts';
export {
  checkQuantizedMatrix,
  dequantizedValues,
  scalesFitHalf,
  widenCodes,
} from './quantized-matrix.ts';
