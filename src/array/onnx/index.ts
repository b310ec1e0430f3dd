/** ONNX graphs: build, encode and read. */

export {
  type AttributeValue,
  GraphBuilder,
  type NodeOptions,
  operatorSet,
} from './builder.ts';
export { decodeModel } from './decode.ts';
export { encodeModel } from './encode.ts';
export {
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxType,
  type OnnxValue,
  onnxByteLength,
} from './model.ts';
