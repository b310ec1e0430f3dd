/**
 * The seam to jax-js: everything that other folders may use of it, and the only place that knows it.
 *
 * Ownership: a function that takes an array consumes it. In a traced function every use of an
 * array but its last is written `x.ref`; an array that is never used is given up with
 * `x.dispose()`. `keep(tree)` takes a reference of every array in a tree.
 */

import {
  type Array as JaxArray,
  type JsTree,
  lax,
  tree,
  valueAndGrad,
} from '@jax-js/jax';

export {
  type Array as JaxArray,
  ClosedJaxpr,
  DType,
  grad,
  hessian,
  init,
  type Jaxpr,
  type JsTree,
  jacfwd,
  jacrev,
  jit,
  jvp,
  lax,
  linearize,
  makeJaxpr,
  nn,
  numpy,
  random,
  scipySpecial,
  tree,
  valueAndGrad,
  vjp,
  vmap,
} from '@jax-js/jax';

/** The value passes, its derivative is zero. */
export const stopGradient = lax.stopGradient;

/** The same tree with a new reference of every array, for a use that is not the last. */
export function keep<T>(arrays: T): T {
  return tree.ref(arrays as JsTree<JaxArray>) as T;
}

/** Gives up every array of a tree that will not be used. */
export function discard(arrays: unknown): void {
  tree.dispose(arrays as JsTree<JaxArray>);
}

/** Applies a function to the corresponding arrays of trees of one structure. */
export function zipTrees<T>(f: (...arrays: JaxArray[]) => JaxArray, ...trees: T[]): T {
  const [first, ...rest] = trees as JsTree<JaxArray>[];
  return tree.map(f as never, first as never, ...(rest as never[])) as T;
}

/**
 * `valueAndGrad` for parameters of any tree type: the loss and its gradient with respect to
 * the first argument, which has that argument's structure.
 */
export function lossAndGradient<W, R extends readonly unknown[]>(
  loss: (weights: W, ...rest: R) => JaxArray,
): (weights: W, ...rest: R) => [value: JaxArray, gradient: W] {
  type General = Parameters<typeof valueAndGrad>[0];
  return valueAndGrad(loss as unknown as General) as unknown as (
    weights: W,
    ...rest: R
  ) => [JaxArray, W];
}
