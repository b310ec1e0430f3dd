/** Builds an ONNX graph node by node; names are made unique, identical nodes are shared. */

import { InvalidInputError } from '../../error.ts';
import { type AnyTensor, elementCount } from '../tensor.ts';
import { encodeModel } from './encode.ts';
import {
  type OnnxAttribute,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxType,
  type OnnxValue,
  onnxByteLength,
} from './model.ts';

/** The operator set that built models use. */
export const operatorSet = 21;

export interface NodeOptions {
  /** `com.microsoft` for ONNX Runtime's own operators. */
  readonly domain?: string;
  /** How many outputs the node has (default 1), or names wished for them. */
  readonly outputs?: number | readonly string[];
  readonly name?: string;
}

/** Attributes as users write them: whole numbers are integers; `{ float: 1 }` forces a float. */
export type AttributeValue = number | string | readonly number[] | OnnxAttribute;

function attribute(value: AttributeValue): OnnxAttribute {
  if (typeof value === 'number') {
    return Number.isInteger(value) ? { int: value } : { float: value };
  }
  if (typeof value === 'string') return { string: value };
  if (Array.isArray(value)) return { ints: value as readonly number[] };
  return value as OnnxAttribute;
}

function bytesOf(tensor: AnyTensor): Uint8Array {
  const { data } = tensor;
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

export class GraphBuilder {
  readonly #name: string;
  readonly #names = new Set<string>();
  readonly #counts = new Map<string, number>();
  readonly #nodes: OnnxNode[] = [];
  readonly #shared = new Map<string, readonly string[]>();
  readonly #initializers = new Map<string, OnnxTensor>();
  readonly #scalars = new Map<string, string>();
  readonly #inputs: OnnxValue[] = [];
  readonly #outputs: OnnxValue[] = [];
  readonly #domains = new Set<string>();
  readonly #metadata: Record<string, string> = {};

  constructor(name = 'graph') {
    this.#name = name;
  }

  /** A name not used yet: the wished one, or the wished one with a number. */
  unique(wished: string): string {
    let name = wished;
    while (this.#names.has(name)) {
      const count = (this.#counts.get(wished) ?? 0) + 1;
      this.#counts.set(wished, count);
      name = `${wished}_${count}`;
    }
    this.#names.add(name);
    return name;
  }

  #exact(name: string): string {
    if (this.#names.has(name)) {
      throw new InvalidInputError(
        'name',
        'a name not used in the graph yet',
        `"${name}"`,
      );
    }
    this.#names.add(name);
    return name;
  }

  /** Declares an input; a dimension given by name is known only when the model runs. */
  input(name: string, type: OnnxType, shape: readonly (number | string)[]): string {
    this.#inputs.push({ name: this.#exact(name), type, shape });
    return name;
  }

  /** Declares an output that a node has made, or will have made. */
  output(name: string, type: OnnxType, shape: readonly (number | string)[]): void {
    this.#outputs.push({ name, type, shape });
  }

  /** Adds a constant; the data is not copied before the model is encoded. */
  initializer(tensor: AnyTensor, name = 'constant'): string {
    return this.rawInitializer(tensor.dtype, tensor.shape, bytesOf(tensor), name);
  }

  /** Adds a constant from its raw bytes, for element types that have no typed array. */
  rawInitializer(
    type: OnnxType,
    shape: readonly number[],
    bytes: Uint8Array,
    name = 'constant',
  ): string {
    const expected = onnxByteLength(type, elementCount(shape));
    if (bytes.length !== expected) {
      throw new InvalidInputError(
        `initializer ${name}`,
        `${expected} bytes for ${type} [${shape.join(', ')}]`,
        `${bytes.length}`,
      );
    }
    const unique = this.unique(name);
    this.#initializers.set(unique, { name: unique, type, shape, bytes });
    return unique;
  }

  /** Whether the name is that of a constant. */
  isConstant(name: string): boolean {
    return this.#initializers.has(name);
  }

  /** A small constant, shared with earlier ones of the same type, shape and bytes. */
  constant(tensor: AnyTensor): string {
    const bytes = bytesOf(tensor);
    const key = `${tensor.dtype}[${tensor.shape.join()}]${bytes.join()}`;
    const known = this.#scalars.get(key);
    if (known !== undefined) return known;
    const name = this.rawInitializer(tensor.dtype, tensor.shape, bytes.slice(), 'c');
    this.#scalars.set(key, name);
    return name;
  }

  /** An int64 list, as shapes, axes and pads are given. */
  integers(values: readonly number[]): string {
    const data = BigInt64Array.from(values, BigInt);
    return this.constant({ dtype: 'int64', shape: [values.length], data });
  }

  /**
   * Adds a node and returns the names of its outputs. A node equal to an earlier one in
   * operator, inputs and attributes is not added again, unless names are wished for.
   */
  node(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
    options: NodeOptions = {},
  ): string[] {
    const domain = options.domain ?? '';
    const wished = options.outputs ?? 1;
    const full = Object.fromEntries(
      Object.entries(attributes).map(([name, value]) => [name, attribute(value)]),
    );
    const key =
      typeof wished === 'number'
        ? JSON.stringify([domain, operator, inputs, full, wished], (_, value) =>
            typeof value === 'bigint' ? `${value}n` : value,
          )
        : undefined;
    const shared = key === undefined ? undefined : this.#shared.get(key);
    if (shared) return [...shared];
    const outputs =
      typeof wished === 'number'
        ? Array.from({ length: wished }, () => this.unique(operator))
        : wished.map((name) => this.#exact(name));
    this.#nodes.push({
      operator,
      domain,
      name: options.name ?? '',
      inputs,
      outputs,
      attributes: full,
    });
    if (key !== undefined) this.#shared.set(key, outputs);
    this.#domains.add(domain);
    return outputs;
  }

  /** `node` for an operator with one output: its name. */
  add(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
    options: NodeOptions = {},
  ): string {
    return this.node(operator, inputs, attributes, options)[0]!;
  }

  /** A note kept in the file beside the graph. */
  metadata(key: string, value: string): void {
    this.#metadata[key] = value;
  }

  /** The model so far, without the nodes and constants that no output needs. */
  model(): OnnxModel {
    const needed = new Set(this.#outputs.map((output) => output.name));
    const nodes: OnnxNode[] = [];
    for (const node of this.#nodes.toReversed()) {
      if (!node.outputs.some((output) => needed.has(output))) continue;
      for (const input of node.inputs) needed.add(input);
      nodes.push(node);
    }
    const opsets: Record<string, number> = { '': operatorSet };
    for (const domain of this.#domains) if (domain) opsets[domain] = 1;
    return {
      irVersion: 10,
      producer: 'assay',
      opsets,
      metadata: { ...this.#metadata },
      graph: {
        name: this.#name,
        nodes: nodes.reverse(),
        initializers: [...this.#initializers.values()].filter((constant) =>
          needed.has(constant.name),
        ),
        inputs: this.#inputs,
        outputs: this.#outputs,
      },
    };
  }

  /** The bytes of an `.onnx` file. */
  encode(): Uint8Array {
    return encodeModel(this.model());
  }
}
