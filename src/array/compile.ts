/** `compile`: turns a function over jax-js arrays into one that ONNX Runtime runs on tensors. */

import { type ClosedJaxpr, type JsTreeDef, makeJaxpr, tree } from '@jax-js/jax';
import { InvalidInputError, throwIfCancelled } from '../error.ts';
import { type LoweredModel, lowerJaxpr } from './lower/jaxpr.ts';
import { openSession, type Provider, type Session } from './session.ts';
import { type AnyTensor, type DataType, elementCount, type Shape } from './tensor.ts';
import { type FeedTree, mapTree, type TensorTree, treeLeaves } from './tree.ts';
import { UnsupportedError } from './unsupported.ts';

export interface CompileOptions {
  /** Threads for one operator; all cores when left out. */
  readonly threads?: number;
  readonly provider?: Provider;
  /** Calls made after it fires throw `CancelledError`; a call under way finishes first. */
  readonly signal?: AbortSignal;
  /** How many versions for different shapes are kept ready (default 16). */
  readonly cacheSize?: number;
}

type Traceable = (...inputs: never[]) => unknown;
type Feeds<F extends Traceable> = FeedTree<Parameters<F>> & readonly unknown[];
type Result<F extends Traceable> = TensorTree<ReturnType<F>>;

/** A compiled function. */
export interface Compiled<F extends Traceable> {
  /** Runs the function. The first call with new shapes or types builds its model. */
  (...inputs: Feeds<F>): Promise<Result<F>>;
  /**
   * Runs the function and writes its results into the tensors of `target`, which must not
   * be among the inputs. Returns `target`.
   */
  into(target: Result<F>, ...inputs: Feeds<F>): Promise<Result<F>>;
  /** The ONNX model for these inputs, for inspection. */
  model(...inputs: Feeds<F>): Promise<Uint8Array>;
  /** Frees the models; the function can still be called and builds them again. */
  dispose(): Promise<void>;
}

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
  readonly outputShapes: readonly { readonly shape: Shape; readonly dtype: DataType }[];
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
  const outputShapes = jaxpr.outs.map(({ aval }) => ({
    shape: aval.shape,
    dtype: aval.dtype as DataType,
  }));
  return { model, session, treedef, outputShapes };
}

function checkTargets(targets: readonly AnyTensor[], program: Program): void {
  const { outputShapes } = program;
  if (targets.length !== outputShapes.length) {
    const received = `${targets.length}`;
    throw new InvalidInputError('target', `${outputShapes.length} tensors`, received);
  }
  for (const [index, { shape, dtype }] of outputShapes.entries()) {
    const target = targets[index]!;
    if (target.dtype !== dtype || target.shape.join() !== shape.join()) {
      throw new InvalidInputError(
        `target ${index}`,
        `${dtype} [${shape.join(', ')}]`,
        `${target.dtype} [${target.shape.join(', ')}]`,
      );
    }
  }
}

/**
 * Compiles a function written with `jax.ts` (also one made by `grad`, `vmap`, ...), as `jit`
 * does, for ONNX Runtime. The function is traced once for each combination of shapes and
 * types; it must not have side effects and must follow jax-js's ownership rules.
 * Throws `UnsupportedError` naming a primitive that has no lowering, `InvalidInputError`
 * for leaves that are no tensors, `CancelledError` after `options.signal` fired.
 */
export function compile<F extends Traceable>(
  f: F,
  options: CompileOptions = {},
): Compiled<F> {
  const { signal, cacheSize = 16 } = options;
  const programs = new Map<string, Promise<Program>>();
  const running = new Map<Promise<Program>, Promise<unknown>>();

  const release = async (program: Promise<Program>): Promise<void> => {
    await running.get(program)?.catch(() => {});
    await (await program).session.release();
  };

  const programFor = (inputs: readonly unknown[]) => {
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
    let program = programs.get(key);
    if (program) {
      programs.delete(key);
    } else {
      program = build(f, inputs, options);
      program.catch(() => programs.delete(key));
    }
    programs.set(key, program);
    if (programs.size > cacheSize) {
      const [oldest, stale] = programs.entries().next().value!;
      programs.delete(oldest);
      void release(stale).catch(() => {});
    }
    return { program, leaves };
  };

  const execute = async (
    inputs: readonly unknown[],
    target: unknown,
  ): Promise<Result<F>> => {
    throwIfCancelled(signal);
    const { program: pending, leaves } = programFor(inputs);
    const work = (async () => {
      const program = await pending;
      throwIfCancelled(signal);
      const { model, session, treedef, outputShapes } = program;
      const feeds: Record<string, AnyTensor> = { ...model.feeds };
      for (const [index, name] of model.inputs.entries()) {
        if (name !== null) feeds[name] = leaves[index]!;
      }
      if (target === undefined) {
        const results = await session.run(feeds);
        const values = model.outputs.map((name) => results[name]!);
        return tree.unflatten(treedef, values);
      }
      const targets = treeLeaves(target, 'target');
      checkTargets(targets, program);
      const entries = model.outputs.map(
        (name, index) => [name, targets[index]!] as const,
      );
      const filled = entries.filter((_, index) =>
        elementCount(outputShapes[index]!.shape),
      );
      await session.run(feeds, { outputs: Object.fromEntries(filled) });
      return target;
    })();
    const earlier = running.get(pending);
    running.set(pending, earlier ? Promise.allSettled([earlier, work]) : work);
    const result = await work;
    throwIfCancelled(signal);
    return result as Result<F>;
  };

  return Object.assign((...inputs: Feeds<F>) => execute(inputs, undefined), {
    into: (target: Result<F>, ...inputs: Feeds<F>) => execute(inputs, target),
    model: async (...inputs: Feeds<F>) => (await programFor(inputs).program).model.bytes,
    async dispose() {
      const all = [...programs.values()];
      programs.clear();
      await Promise.allSettled(all.map(release));
      running.clear();
    },
  });
}
