/** ONNX graphs: build and encode. */

export {
  type AttributeValue,
  GraphBuilder,
  type NodeOptions,
  operatorSet,
} from './builder.ts';
export { encodeModel } from './encode.ts';
export type {
  OnnxAttribute,
  OnnxGraph,
  OnnxModel,
  OnnxNode,
  OnnxTensor,
  OnnxType,
  OnnxValue,
} from './model.ts';
