/** Reads ONNX models strictly, before anything else sees the bytes of a stranger's file. */

import { InvalidFileError } from '../../error.ts';
import {
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxType,
  type OnnxValue,
  onnxByteLength,
  onnxTypeCodes,
  packedTypeCodes,
} from './model.ts';
import {
  ProtobufError,
  type ProtobufField,
  readFields,
  readIntegers,
} from './protobuf.ts';

const typesByCode = new Map<number, OnnxType>(
  Object.entries({ ...onnxTypeCodes, ...packedTypeCodes }).map(([type, code]) => [
    code,
    type as OnnxType,
  ]),
);

const strictDecoder = new TextDecoder('utf-8', { fatal: true });

/** Reads the parts of one file; every complaint names it. */
class Reader {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  refuse(field: string, expected: string, received: string): never {
    throw new InvalidFileError(this.#file, field, expected, received);
  }

  bytes(field: ProtobufField, what: string): Uint8Array {
    return field.bytes ?? this.refuse(what, 'bytes', 'a number');
  }

  text(field: ProtobufField, what: string): string {
    try {
      return strictDecoder.decode(this.bytes(field, what));
    } catch {
      return this.refuse(what, 'UTF-8 text', 'other bytes');
    }
  }

  size(value: bigint, what: string): number {
    const size = BigInt.asIntN(64, value);
    if (size < 0n || size > BigInt(Number.MAX_SAFE_INTEGER)) {
      this.refuse(what, 'a size', `${size}`);
    }
    return Number(size);
  }

  type(code: bigint, what: string): OnnxType {
    const known = typesByCode.get(Number(code));
    return known ?? this.refuse(what, 'an element type that Assay knows', `code ${code}`);
  }

  tensor(message: Uint8Array): OnnxTensor {
    let name = '';
    let type: OnnxType | undefined;
    let raw: Uint8Array | undefined;
    const shape: number[] = [];
    const words: bigint[] = [];
    const fixed: Uint8Array[] = [];
    for (const field of readFields(message)) {
      switch (field.number) {
        case 1:
          for (const size of readIntegers(field)) {
            shape.push(this.size(size, 'dimension of a tensor'));
          }
          break;
        case 2:
          type = this.type(field.bits, 'type of a tensor');
          break;
        case 4:
        case 10:
          fixed.push(this.bytes(field, 'data of a tensor'));
          break;
        case 5:
        case 7:
        case 11:
          for (const word of readIntegers(field)) words.push(word);
          break;
        case 8:
          name = this.text(field, 'name of a tensor');
          break;
        case 9:
          raw = this.bytes(field, 'data of a tensor');
          break;
        case 13:
          this.refuse(
            `tensor ${name}`,
            'data inside the file',
            'a reference to another file',
          );
          break;
        case 14:
          if (field.bits !== 0n) {
            const received = 'a reference to another file';
            this.refuse(`tensor ${name}`, 'data inside the file', received);
          }
          break;
        case 6:
          this.refuse(`tensor ${name}`, 'numbers', 'strings');
          break;
        case 3:
          this.refuse(`tensor ${name}`, 'a whole tensor', 'a segment');
          break;
      }
    }
    if (!type) this.refuse(`tensor ${name}`, 'an element type', 'none');
    const elements = shape.reduce((count, size) => count * size, 1);
    const expected = onnxByteLength(type, elements);
    const bytes = raw ?? joinData(type, words, fixed);
    if (bytes.length !== expected) {
      const what = `${expected} bytes for ${type} [${shape.join(', ')}]`;
      this.refuse(`tensor ${name}`, what, `${bytes.length}`);
    }
    return { name, type, shape, bytes };
  }

  attribute(message: Uint8Array): [string, OnnxAttribute] {
    let name = '';
    let kind = 0;
    let int = 0n;
    let float = 0;
    let string = '';
    let tensor: OnnxTensor | undefined;
    const ints: bigint[] = [];
    const floats: number[] = [];
    const strings: string[] = [];
    for (const field of readFields(message)) {
      switch (field.number) {
        case 1:
          name = this.text(field, 'name of an attribute');
          break;
        case 2:
          float = readFloats(this.bytes(field, name))[0] ?? 0;
          break;
        case 3:
          int = BigInt.asIntN(64, field.bits);
          break;
        case 4:
          string = this.text(field, `attribute ${name}`);
          break;
        case 5:
          tensor = this.tensor(this.bytes(field, name));
          break;
        case 7:
          floats.push(...readFloats(this.bytes(field, name)));
          break;
        case 8:
          for (const value of readIntegers(field)) ints.push(BigInt.asIntN(64, value));
          break;
        case 9:
          strings.push(this.text(field, `attribute ${name}`));
          break;
        case 20:
          kind = Number(field.bits);
          break;
        case 6:
        case 11:
          this.refuse(`attribute ${name}`, 'a plain value', 'a graph inside the graph');
          break;
        case 22:
        case 23:
          this.refuse(`attribute ${name}`, 'a plain value', 'a sparse tensor');
          break;
      }
    }
    const small = (value: bigint) =>
      Number.isSafeInteger(Number(value)) ? Number(value) : value;
    switch (kind) {
      case 1:
        return [name, { float }];
      case 2:
        return [name, { int: small(int) }];
      case 3:
        return [name, { string }];
      case 4:
        if (!tensor) return this.refuse(`attribute ${name}`, 'a tensor', 'none');
        return [name, { tensor }];
      case 6:
        return [name, { floats }];
      case 7:
        return [name, { ints: ints.map(small) }];
      case 8:
        return [name, { strings }];
    }
    return this.refuse(`attribute ${name}`, 'a plain value', `kind ${kind}`);
  }

  node(message: Uint8Array): OnnxNode {
    const inputs: string[] = [];
    const outputs: string[] = [];
    const attributes: Record<string, OnnxAttribute> = {};
    const texts = { operator: '', domain: '', name: '' };
    for (const field of readFields(message)) {
      switch (field.number) {
        case 1:
          inputs.push(this.text(field, 'input of a node'));
          break;
        case 2:
          outputs.push(this.text(field, 'output of a node'));
          break;
        case 3:
          texts.name = this.text(field, 'name of a node');
          break;
        case 4:
          texts.operator = this.text(field, 'operator of a node');
          break;
        case 5: {
          const [name, value] = this.attribute(this.bytes(field, 'attribute of a node'));
          attributes[name] = value;
          break;
        }
        case 7:
          texts.domain = this.text(field, 'domain of a node');
          break;
      }
    }
    if (!texts.operator) this.refuse(`node ${texts.name}`, 'an operator', 'none');
    return { ...texts, inputs, outputs, attributes };
  }

  value(message: Uint8Array): OnnxValue {
    let name = '';
    let tensorType: Uint8Array | undefined;
    for (const field of readFields(message)) {
      if (field.number === 1) name = this.text(field, 'name of an input or output');
      if (field.number === 2) {
        for (const inner of readFields(this.bytes(field, name))) {
          if (inner.number === 1) tensorType = this.bytes(inner, name);
        }
      }
    }
    if (!tensorType) this.refuse(`input or output ${name}`, 'a tensor', 'another type');
    let type: OnnxType | undefined;
    const shape: (number | string)[] = [];
    for (const field of readFields(tensorType)) {
      if (field.number === 1) type = this.type(field.bits, `type of ${name}`);
      if (field.number !== 2) continue;
      for (const dimension of readFields(this.bytes(field, name))) {
        let size: number | string = '';
        for (const part of readFields(this.bytes(dimension, name))) {
          if (part.number === 1) size = this.size(part.bits, `dimension of ${name}`);
          if (part.number === 2) size = this.text(part, `dimension of ${name}`);
        }
        shape.push(size);
      }
    }
    if (!type) this.refuse(`input or output ${name}`, 'an element type', 'none');
    return { name, type, shape };
  }

  graph(message: Uint8Array): OnnxGraph {
    const nodes: OnnxNode[] = [];
    const initializers: OnnxTensor[] = [];
    const inputs: OnnxValue[] = [];
    const outputs: OnnxValue[] = [];
    let name = '';
    for (const field of readFields(message)) {
      const bytes = () => this.bytes(field, 'part of the graph');
      if (field.number === 1) nodes.push(this.node(bytes()));
      else if (field.number === 2) name = this.text(field, 'name of the graph');
      else if (field.number === 5) initializers.push(this.tensor(bytes()));
      else if (field.number === 11) inputs.push(this.value(bytes()));
      else if (field.number === 12) outputs.push(this.value(bytes()));
      else if (field.number === 15) {
        this.refuse('initializer', 'a dense tensor', 'a sparse one');
      }
    }
    return { name, nodes, initializers, inputs, outputs };
  }

  /** The fields of a small message of texts and numbers. */
  entry(message: Uint8Array, what: string): [string, ProtobufField | undefined] {
    let key = '';
    let value: ProtobufField | undefined;
    for (const field of readFields(message)) {
      if (field.number === 1) key = this.text(field, what);
      if (field.number === 2) value = field;
    }
    return [key, value];
  }

  model(message: Uint8Array): OnnxModel {
    let irVersion = 0;
    let producer = '';
    let graph: OnnxGraph | undefined;
    const opsets: Record<string, number> = {};
    const metadata: Record<string, string> = {};
    for (const field of readFields(message)) {
      const bytes = () => this.bytes(field, 'part of the model');
      switch (field.number) {
        case 1:
          irVersion = this.size(field.bits, 'format version');
          break;
        case 2:
          producer = this.text(field, 'producer');
          break;
        case 7:
          graph = this.graph(bytes());
          break;
        case 8: {
          const [domain, version] = this.entry(bytes(), 'operator set');
          opsets[domain] = this.size(version?.bits ?? 0n, 'version of an operator set');
          break;
        }
        case 14: {
          const [key, value] = this.entry(bytes(), 'metadata');
          metadata[key] = value ? this.text(value, 'metadata') : '';
          break;
        }
        case 20:
        case 25:
          this.refuse(
            'model',
            'operators only',
            'functions or training steps of its own',
          );
      }
    }
    if (!graph) this.refuse('model', 'a graph', 'none');
    if (Object.keys(opsets).length === 0) {
      this.refuse('model', 'versions of its operator sets', 'none');
    }
    return { irVersion, producer, opsets, metadata, graph };
  }
}

function readFloats(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = Math.floor(bytes.length / 4);
  return Array.from({ length: count }, (_, index) => view.getFloat32(index * 4, true));
}

/** The raw bytes of elements that came as numbers, one by one. */
function joinData(
  type: OnnxType,
  words: readonly bigint[],
  fixed: readonly Uint8Array[],
): Uint8Array {
  if (fixed.length > 0) {
    const joined = new Uint8Array(fixed.reduce((sum, part) => sum + part.length, 0));
    let offset = 0;
    for (const part of fixed) {
      joined.set(part, offset);
      offset += part.length;
    }
    return joined;
  }
  const width = Math.max(onnxByteLength(type, 2) / 2, 1);
  const bytes = new Uint8Array(words.length * width);
  for (const [index, word] of words.entries()) {
    for (let byte = 0; byte < width; byte++) {
      bytes[index * width + byte] = Number((word >> BigInt(8 * byte)) & 255n);
    }
  }
  return bytes;
}

/**
 * Reads the bytes of an `.onnx` file. Throws `InvalidFileError` naming the file and the part
 * for bytes that are no model, and for what a stranger's file must not bring: data in other
 * files, sparse tensors, graphs inside graphs, functions of its own.
 */
export function decodeModel(bytes: Uint8Array, file = 'model'): OnnxModel {
  try {
    return new Reader(file).model(bytes);
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error;
    throw new InvalidFileError(
      file,
      'model',
      'an ONNX model',
      error.message,
      error.offset,
    );
  }
}
