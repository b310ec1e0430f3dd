/** Models in the formats of other programs, and decoding them through ONNX Runtime. */

export {
  type DecodeOptions,
  type Decoder,
  type DecoderOptions,
  openDecoder,
} from './decode.ts';
export type { GgufTensorReport } from './gguf/tensors.ts';
export { type GgufOptions, type GgufReport, writeGguf } from './gguf.ts';
export type { OnnxTensorReport } from './onnx/weights.ts';
export { type OnnxOptions, type OnnxReport, writeOnnx } from './onnx/write.ts';
export type { ExportableModel, ExportContext } from './source.ts';
export { type DecodeSpeed, measureDecodeSpeed, type SpeedOptions } from './speed.ts';
