/** Writes a graph and its weights as ONNX files, one weight in memory at a time. */

import { typeCode } from '../../../array/onnx/encode.ts';
import { encodeModel, type OnnxModel } from '../../../array/onnx/index.ts';
import { ProtobufWriter, readFields } from '../../../array/onnx/protobuf.ts';
import type { LazyWeight } from './weights.ts';

// Field numbers of ONNX's protobuf messages.
const modelGraph = 7;
const graphInitializer = 5;

/** Where a weight lies in the file beside the model. */
interface Place {
  readonly offset: number;
  readonly length: number;
}

/** The length of the model's file with all weights inside, in bytes. */
export function inlineLength(model: OnnxModel, weights: readonly LazyWeight[]): number {
  const { head, rest } = splicedGraph(model, inlineHeads(weights), weights);
  return head.length + rest.length + weightBytes(weights) + sum(inlineHeads(weights));
}

/** The bytes of one file that holds graph and weights. */
export async function* inlineFile(
  model: OnnxModel,
  weights: readonly LazyWeight[],
): AsyncGenerator<Uint8Array> {
  const heads = inlineHeads(weights);
  const { head, rest } = splicedGraph(model, heads, weights);
  yield head;
  for (const [index, weight] of weights.entries()) {
    yield heads[index]!;
    yield await loaded(weight);
  }
  yield rest;
}

/** The bytes of a model file whose weights lie in a data file of the given name. */
export function referringFile(
  model: OnnxModel,
  weights: readonly LazyWeight[],
  dataFile: string,
): Uint8Array {
  const places = dataPlaces(weights);
  const heads = weights.map((weight, index) => {
    const { offset, length } = places[index]!;
    const tensor = tensorHead(weight);
    for (const [key, value] of [
      ['location', dataFile],
      ['offset', `${offset}`],
      ['length', `${length}`],
    ] as const) {
      tensor.message(13, new ProtobufWriter().string(1, key).string(2, value));
    }
    // 1 is ONNX's word for data outside the file.
    tensor.integer(14, 1);
    return new ProtobufWriter().message(graphInitializer, tensor).finish();
  });
  const { head, rest } = splicedGraph(model, heads, []);
  return Buffer.concat([head, ...heads, rest]);
}

/** The bytes of the data file. */
export async function* dataFile(
  weights: readonly LazyWeight[],
): AsyncGenerator<Uint8Array> {
  const places = dataPlaces(weights);
  let written = 0;
  for (const [index, weight] of weights.entries()) {
    const { offset, length } = places[index]!;
    if (offset > written) yield new Uint8Array(offset - written);
    yield await loaded(weight);
    written = offset + length;
  }
}

async function loaded(weight: LazyWeight): Promise<Uint8Array> {
  const bytes = await weight.load();
  if (bytes.length !== weight.byteLength) {
    throw new RangeError(
      `${weight.name}: ${bytes.length} bytes, ${weight.byteLength} declared`,
    );
  }
  return bytes;
}

/** Large weights start on a memory page, so that a runtime can map them. */
function dataPlaces(weights: readonly LazyWeight[]): Place[] {
  const page = 4096;
  let end = 0;
  return weights.map(({ byteLength }) => {
    const step = byteLength >= page ? page : 64;
    const offset = Math.ceil(end / step) * step;
    end = offset + byteLength;
    return { offset, length: byteLength };
  });
}

function tensorHead(weight: LazyWeight): ProtobufWriter {
  return new ProtobufWriter()
    .integers(1, weight.shape)
    .integer(2, typeCode(weight.type))
    .string(8, weight.name);
}

/** For each weight, all bytes of its field up to the raw data. */
function inlineHeads(weights: readonly LazyWeight[]): Uint8Array[] {
  return weights.map((weight) => {
    const tensor = tensorHead(weight).finish();
    const rawKey = prefix(9, weight.byteLength);
    const length = tensor.length + rawKey.length + weight.byteLength;
    return Buffer.concat([prefix(graphInitializer, length), tensor, rawKey]);
  });
}

/** Key and length of a length-delimited field. */
function prefix(field: number, length: number): Uint8Array {
  const varint = (value: number): number[] => {
    const bytes: number[] = [];
    let rest = value;
    while (rest > 0x7f) {
      bytes.push((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    return [...bytes, rest];
  };
  return Uint8Array.from([...varint(field * 8 + 2), ...varint(length)]);
}

/**
 * The encoded model cut where the graph ends: initializer fields of the given heads, each
 * followed by its weight, may be written between `head` and `rest`.
 */
function splicedGraph(
  model: OnnxModel,
  heads: readonly Uint8Array[],
  weights: readonly LazyWeight[],
): { readonly head: Uint8Array; readonly rest: Uint8Array } {
  const added = sum(heads) + weightBytes(weights);
  const before: Uint8Array[] = [];
  const after = new ProtobufWriter();
  for (const field of readFields(encodeModel(model))) {
    if (field.number === modelGraph) {
      before.push(prefix(modelGraph, field.bytes!.length + added), field.bytes!);
    } else if (field.bytes) after.bytes(field.number, field.bytes);
    else after.integer(field.number, field.bits);
  }
  return { head: Buffer.concat(before), rest: after.finish() };
}

function sum(parts: readonly Uint8Array[]): number {
  return parts.reduce((total, part) => total + part.length, 0);
}

function weightBytes(weights: readonly LazyWeight[]): number {
  return weights.reduce((total, weight) => total + weight.byteLength, 0);
}
