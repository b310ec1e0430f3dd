/** Arrays: plain tensors, traced functions and their compilation, sessions, random numbers. */

export { type Compiled, type CompiledLoop, compile, compileLoop } from './compile.ts';
export {
  bfloat16ToFloat,
  floatToBfloat16,
  floatToHalf,
  halfToFloat,
  roundToHalf,
  toFloat32,
} from './float16.ts';
export type { CompileOptions } from './program.ts';
export type { QuantizedMatrix } from './quantized.ts';
export { createRandom, type Random, splitRandom } from './random.ts';
export {
  openSession,
  type Provider,
  type RunOptions,
  type Session,
  type SessionOptions,
} from './session.ts';
export {
  type AnyTensor,
  bytesPerElement,
  checkFinite,
  type DataType,
  elementCount,
  float32,
  int32,
  type Shape,
  type Tensor,
  type TypedArrays,
} from './tensor.ts';
export { type FeedTree, isTensor, type TensorTree, treeLeaves } from './tree.ts';
export { UnsupportedError } from './unsupported.ts';
