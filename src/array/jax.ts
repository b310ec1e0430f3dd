/**
 * The seam to jax-js: everything that other folders may use of it, and the only place that knows it.
 *
 * Ownership: a function that takes an array consumes it. In a traced function every use of an
 * array but its last is written `x.ref`; an array that is never used is given up with
 * `x.dispose()`. `keep(tree)` takes a reference of every array in a tree.
 */

import { type Array as JaxArray, type JsTree, lax, tree } from '@jax-js/jax';

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
export function keep<T extends JsTree<JaxArray>>(arrays: T): T {
  return tree.ref(arrays) as T;
}

/** Gives up every array of a tree that will not be used. */
export function discard(arrays: JsTree<JaxArray>): void {
  tree.dispose(arrays);
}
