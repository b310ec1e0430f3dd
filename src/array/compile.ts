/** `compile`: turns a function over jax-js arrays into one that ONNX Runtime runs on tensors. */

import { InvalidInputError } from '../error.ts';
import { type CompileOptions, Programs, type Traceable } from './program.ts';
import { type FeedTree, mapTree, type TensorTree, treeLeaves } from './tree.ts';

type Feeds<F extends Traceable> = FeedTree<Parameters<F>> & readonly unknown[];
type Result<F extends Traceable> = TensorTree<ReturnType<F>>;

/** A compiled function. */
export interface Compiled<F extends Traceable> {
  /** Runs the function. The first call with new shapes or types builds its model. */
  (...inputs: Feeds<F>): Promise<Result<F>>;
  /**
   * Runs the function and writes its results into the tensors of `target`, which must not
   * be among the inputs. Returns tensors of the same data.
   */
  into(target: Result<F>, ...inputs: Feeds<F>): Promise<Result<F>>;
  /** The ONNX model for these inputs, for inspection. */
  model(...inputs: Feeds<F>): Promise<Uint8Array>;
  /** Frees the models once their calls are done; the function can still be called again. */
  dispose(): Promise<void>;
}

/**
 * Compiles a function written with `jax.ts` (also one made by `grad`, `vmap`, ...), as `jit`
 * does, for ONNX Runtime. The function is traced once for each combination of shapes and
 * types; it must not have side effects and must follow jax-js's ownership rules.
 * Inputs are never changed.
 * Throws `UnsupportedError` naming a primitive that has no lowering, `InvalidInputError`
 * for leaves that are no tensors, `CancelledError` after `options.signal` fired.
 */
export function compile<F extends Traceable>(
  f: F,
  options: CompileOptions = {},
): Compiled<F> {
  const programs = new Programs(f, options);
  const run = (...inputs: Feeds<F>) => programs.run(inputs) as Promise<Result<F>>;
  return Object.assign(run, {
    into: (target: Result<F>, ...inputs: Feeds<F>) =>
      programs.run(inputs, treeLeaves(target, 'target')) as Promise<Result<F>>,
    model: (...inputs: Feeds<F>) => programs.model(inputs),
    dispose: () => programs.dispose(),
  });
}

/** A state that a compiled step function carries from step to step. */
export interface CompiledLoop<S, I extends readonly unknown[], R> {
  /**
   * The state after the last step. Its buffers are used again by the second step from here
   * on: copy what must last longer.
   */
  readonly state: TensorTree<S>;
  /** Advances the state once and returns the step's other result. One step at a time. */
  step(...inputs: FeedTree<I> & readonly unknown[]): Promise<TensorTree<R>>;
  dispose(): Promise<void>;
}

/**
 * Compiles a step `(state, ...inputs) => [newState, result]`, such as a training step over
 * parameters and optimizer state. Two sets of buffers take turns, so that no step allocates
 * state; the initial state is left as it is. Throws like `compile`, and `InvalidInputError`
 * where the new state differs from the old in structure, shape or type.
 */
export function compileLoop<S, I extends readonly unknown[], R>(
  f: (state: S, ...inputs: I) => readonly [S, R],
  initial: TensorTree<S>,
  options: CompileOptions = {},
): CompiledLoop<S, I, R> {
  const programs = new Programs(f as unknown as Traceable, options);
  let state = initial;
  let spare: TensorTree<S> | undefined;
  return {
    get state() {
      return state;
    },
    async step(...inputs) {
      const targets = spare && treeLeaves(spare, 'state');
      const outcome = await programs.run([state, ...inputs], targets, true);
      const [next, result] = outcome as [TensorTree<S>, TensorTree<R>];
      if (state === initial) checkSameState(state, next);
      spare = state === initial ? undefined : state;
      state = next;
      return result;
    },
    dispose: () => programs.dispose(),
  };
}

/** Refuses a step whose new state could not be the next step's old one. */
function checkSameState(before: unknown, after: unknown): void {
  const describe = (tree: unknown) =>
    JSON.stringify(
      mapTree(tree, ({ value }) => `${value.dtype} [${value.shape.join(', ')}]`, 'state'),
    );
  if (describe(before) !== describe(after)) {
    throw new InvalidInputError('new state', describe(before), describe(after));
  }
}
