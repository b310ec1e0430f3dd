/** Builds and keeps the programs of a traced function: one for each combination of shapes and types. */

import { type ClosedJaxpr, type JsTreeDef, makeJaxpr, tree } from '@jax-js/jax';
import { InvalidInputError, throwIfCancelled } from '../error.ts';
import { type LoweredModel, lowerJaxpr } from './lower/jaxpr.ts';
import { openSession, type Session, type SessionOptions } from './session.ts';
import { type AnyTensor, type DataType, elementCount, type Shape } from './tensor.ts';
import { mapTree } from './tree.ts';
import { UnsupportedError } from './unsupported.ts';

export interface CompileOptions extends SessionOptions {
  /** Calls made after it fires throw `CancelledError`; a call under way finishes first. */
  readonly signal?: AbortSignal;
  /** How many versions for different shapes are kept ready (default 16). */
  readonly cacheSize?: number;
}

export type Traceable = (...inputs: never[]) => unknown;

/** An array's type during tracing. jax-js descends into plain objects, so this is a class. */
class Placeholder {
  readonly shape: number[];
  readonly dtype: DataType;
  readonly weakType: boolean;

  constructor(shape: Shape, dtype: DataType, weakType: boolean) {
    this.shape = [...shape];
    this.dtype = dtype;
    this.weakType = weakType;
  }
}

/** The type that a tensor has inside traced functions; narrow integers become int32. */
function tracedType(dtype: DataType, path: string): DataType {
  switch (dtype) {
    case 'int8':
    case 'uint8':
    case 'int16':
    case 'uint16':
    case 'int64':
      return 'int32';
    case 'uint64':
    case 'bfloat16':
      throw new InvalidInputError(path, 'a type that compile takes', dtype);
    default:
      return dtype;
  }
}

interface Program {
  readonly model: LoweredModel;
  readonly session: Session;
  readonly treedef: JsTreeDef;
  readonly results: readonly { readonly shape: Shape; readonly dtype: DataType }[];
}

/** A constant of the trace as a tensor; its array is consumed. */
function constantTensor(constant: ClosedJaxpr['consts'][number]): AnyTensor {
  const { dtype, shape } = constant;
  if (!('dataSync' in constant)) {
    throw new UnsupportedError('an array of an outer trace is used inside the function');
  }
  const data = (constant as unknown as { dataSync(): Float32Array }).dataSync();
  const plain = dtype === 'bool' ? Uint8Array.from(data) : data;
  return { dtype, shape, data: plain } as unknown as AnyTensor;
}

async function build(
  f: Traceable,
  inputs: readonly unknown[],
  options: CompileOptions,
): Promise<Program> {
  const fedTypes: DataType[] = [];
  const placeholders = mapTree(
    inputs,
    ({ path, value }, isNumber) => {
      fedTypes.push(value.dtype);
      return new Placeholder(value.shape, tracedType(value.dtype, path), isNumber);
    },
    'arguments',
  );
  const trace = makeJaxpr(f as Parameters<typeof makeJaxpr>[0]);
  const { jaxpr: closed, treedef } = trace(...(placeholders as never[]));
  const jaxpr = closed.jaxpr.flatten().simplify();
  const model = lowerJaxpr(jaxpr, closed.consts.map(constantTensor), fedTypes);
  const session = await openSession(model.bytes, options);
  const results = jaxpr.outs.map(({ aval }) => ({
    shape: aval.shape,
    dtype: aval.dtype as DataType,
  }));
  return { model, session, treedef, results };
}

function checkTargets(targets: Targets, program: Program, partial: boolean): void {
  const { results } = program;
  if (partial ? targets.length > results.length : targets.length !== results.length) {
    throw new InvalidInputError(
      'target',
      `${results.length} tensors`,
      `${targets.length}`,
    );
  }
  for (const [index, { shape, dtype }] of results.entries()) {
    const target = targets[index];
    if (target && (target.dtype !== dtype || target.shape.join() !== shape.join())) {
      throw new InvalidInputError(
        `target ${index}`,
        `${dtype} [${shape.join(', ')}]`,
        `${target.dtype} [${target.shape.join(', ')}]`,
      );
    }
  }
}

/** Tensors to write results into, in order. */
export type Targets = readonly AnyTensor[];

/** Runs a traced function on trees of tensors. */
export class Programs {
  readonly #f: Traceable;
  readonly #options: CompileOptions;
  /** Least recently used first. */
  readonly #programs = new Map<string, Promise<Program>>();
  readonly #running = new Map<Promise<Program>, Set<Promise<unknown>>>();

  constructor(f: Traceable, options: CompileOptions) {
    this.#f = f;
    this.#options = options;
  }

  #programFor(inputs: readonly unknown[]) {
    const leaves: AnyTensor[] = [];
    const structure = mapTree(
      inputs,
      ({ value }, isNumber) => {
        leaves.push(value);
        return isNumber ? '#' : `${value.dtype}[${value.shape.join()}]`;
      },
      'arguments',
    );
    const key = JSON.stringify(structure);
    let program = this.#programs.get(key);
    this.#programs.delete(key);
    if (!program) {
      program = build(this.#f, inputs, this.#options);
      program.catch(() => this.#programs.delete(key));
    }
    this.#programs.set(key, program);
    if (this.#programs.size > (this.#options.cacheSize ?? 16)) {
      const [oldest, stale] = this.#programs.entries().next().value!;
      this.#programs.delete(oldest);
      void this.#release(stale);
    }
    return { program, leaves };
  }

  /** Frees a program once its calls are done. */
  async #release(program: Promise<Program>): Promise<void> {
    await Promise.allSettled(this.#running.get(program) ?? []);
    this.#running.delete(program);
    await program.then(({ session }) => session.release()).catch(() => {});
  }

  /**
   * Runs the function. With `targets` its results are written there; with `partial` there
   * may be fewer targets than results, and the rest are new tensors.
   */
  async run(
    inputs: readonly unknown[],
    targets: Targets = [],
    partial = targets.length === 0,
  ): Promise<unknown> {
    const { signal } = this.#options;
    throwIfCancelled(signal);
    const { program, leaves } = this.#programFor(inputs);
    const work = this.#execute(program, leaves, targets, partial);
    const running = this.#running.get(program) ?? new Set();
    this.#running.set(program, running.add(work));
    try {
      return await work;
    } finally {
      running.delete(work);
      throwIfCancelled(signal);
    }
  }

  async #execute(
    pending: Promise<Program>,
    leaves: readonly AnyTensor[],
    targets: Targets,
    partial: boolean,
  ): Promise<unknown> {
    const program = await pending;
    throwIfCancelled(this.#options.signal);
    const { model, session, treedef, results } = program;
    const feeds: Record<string, AnyTensor> = { ...model.feeds };
    for (const [index, name] of model.inputs.entries()) {
      if (name !== null) feeds[name] = leaves[index]!;
    }
    const outputs: Record<string, AnyTensor> = {};
    checkTargets(targets, program, partial);
    const fed = new Set(leaves.map(({ data }) => data));
    if (targets.some(({ data }) => fed.has(data))) {
      throw new InvalidInputError('target', 'tensors that are no inputs', 'an input');
    }
    for (const [index, target] of targets.entries()) {
      if (elementCount(results[index]!.shape) > 0)
        outputs[model.outputs[index]!] = target;
    }
    const made = await session.run(feeds, { outputs });
    const values = model.outputs.map((name, index) => targets[index] ?? made[name]!);
    return tree.unflatten(treedef, values);
  }

  /** The ONNX model for these inputs. */
  async model(inputs: readonly unknown[]): Promise<Uint8Array> {
    return (await this.#programFor(inputs).program).model.bytes;
  }

  /** Frees every program once its calls are done; later calls build again. */
  async dispose(): Promise<void> {
    const all = [...this.#programs.values()];
    this.#programs.clear();
    await Promise.all(all.map((program) => this.#release(program)));
  }
}
