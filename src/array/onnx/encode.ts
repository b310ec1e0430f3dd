/** Writes an ONNX model as the bytes of its protobuf. */

import {
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxType,
  type OnnxValue,
  onnxTypeCodes,
  packedTypeCodes,
} from './model.ts';
import { ProtobufWriter } from './protobuf.ts';

/** ONNX's number for an element type, 4-bit ones included. */
export function typeCode(type: OnnxType): number {
  return type === 'uint4' || type === 'int4'
    ? packedTypeCodes[type]
    : onnxTypeCodes[type];
}

function writeTensor(tensor: OnnxTensor): ProtobufWriter {
  return new ProtobufWriter()
    .integers(1, tensor.shape)
    .integer(2, typeCode(tensor.type))
    .string(8, tensor.name)
    .bytes(9, tensor.bytes);
}

function writeAttribute(name: string, attribute: OnnxAttribute): ProtobufWriter {
  const writer = new ProtobufWriter().string(1, name);
  if ('int' in attribute) return writer.integer(3, attribute.int).integer(20, 2);
  if ('float' in attribute) return writer.float(2, attribute.float).integer(20, 1);
  if ('string' in attribute) return writer.string(4, attribute.string).integer(20, 3);
  if ('ints' in attribute) return writer.integers(8, attribute.ints).integer(20, 7);
  if ('floats' in attribute) return writer.floats(7, attribute.floats).integer(20, 6);
  if ('tensor' in attribute) {
    return writer.message(5, writeTensor(attribute.tensor)).integer(20, 4);
  }
  for (const text of attribute.strings) writer.string(9, text);
  return writer.integer(20, 8);
}

function writeNode(node: OnnxNode): ProtobufWriter {
  const writer = new ProtobufWriter();
  for (const input of node.inputs) writer.string(1, input);
  for (const output of node.outputs) writer.string(2, output);
  if (node.name) writer.string(3, node.name);
  writer.string(4, node.operator);
  for (const [name, attribute] of Object.entries(node.attributes)) {
    writer.message(5, writeAttribute(name, attribute));
  }
  if (node.domain) writer.string(7, node.domain);
  return writer;
}

function writeValue(value: OnnxValue): ProtobufWriter {
  const shape = new ProtobufWriter();
  for (const size of value.shape) {
    const dimension = new ProtobufWriter();
    if (typeof size === 'number') dimension.integer(1, size);
    else dimension.string(2, size);
    shape.message(1, dimension);
  }
  const tensor = new ProtobufWriter().integer(1, typeCode(value.type)).message(2, shape);
  return new ProtobufWriter()
    .string(1, value.name)
    .message(2, new ProtobufWriter().message(1, tensor));
}

function writeGraph(graph: OnnxGraph): ProtobufWriter {
  const writer = new ProtobufWriter();
  for (const node of graph.nodes) writer.message(1, writeNode(node));
  writer.string(2, graph.name);
  for (const tensor of graph.initializers) writer.message(5, writeTensor(tensor));
  for (const value of graph.inputs) writer.message(11, writeValue(value));
  for (const value of graph.outputs) writer.message(12, writeValue(value));
  return writer;
}

/** The model's bytes, as an `.onnx` file holds them. */
export function encodeModel(model: OnnxModel): Uint8Array {
  const writer = new ProtobufWriter()
    .integer(1, model.irVersion)
    .string(2, model.producer)
    .message(7, writeGraph(model.graph));
  for (const [domain, version] of Object.entries(model.opsets)) {
    writer.message(8, new ProtobufWriter().string(1, domain).integer(2, version));
  }
  for (const [key, value] of Object.entries(model.metadata)) {
    writer.message(14, new ProtobufWriter().string(1, key).string(2, value));
  }
  return writer.finish();
}
