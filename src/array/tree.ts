/** Trees of tensors: nested arrays and plain objects whose leaves are tensors or numbers. */

import type { Array as JaxArray } from '@jax-js/jax';
import { InvalidInputError } from '../error.ts';
import type { AnyTensor, Tensor } from './tensor.ts';

/** A result's type: traced arrays become tensors. A leaf that is not float32 says so in `dtype`. */
export type TensorTree<T> = T extends JaxArray
  ? Tensor
  : T extends readonly (infer U)[]
    ? number extends T['length']
      ? TensorTree<U>[]
      : { -readonly [K in keyof T]: TensorTree<T[K]> }
    : T extends object
      ? { [K in keyof T]: TensorTree<T[K]> }
      : Tensor;

/** An argument's type: traced arrays may be fed as tensors of any type, or numbers. */
export type FeedTree<T> = T extends JaxArray
  ? AnyTensor | number
  : T extends readonly (infer U)[]
    ? number extends T['length']
      ? readonly FeedTree<U>[]
      : { readonly [K in keyof T]: FeedTree<T[K]> }
    : T extends object
      ? { readonly [K in keyof T]: FeedTree<T[K]> }
      : T;

/** Whether a value is a tensor, not a tree of them. */
export function isTensor(value: unknown): value is AnyTensor {
  return (
    typeof value === 'object' &&
    value !== null &&
    'dtype' in value &&
    'shape' in value &&
    'data' in value &&
    ArrayBuffer.isView(value.data)
  );
}

export interface TreeLeaf {
  /** Where the leaf stands, as code would say it: `arguments[0].layers[2].weight`. */
  readonly path: string;
  readonly value: AnyTensor;
}

/**
 * Replaces every leaf of a tree and keeps its structure. A number counts as a float32 scalar.
 * Throws `InvalidInputError` naming the path of anything that is no leaf and no branch.
 */
export function mapTree(
  tree: unknown,
  replace: (leaf: TreeLeaf, isNumber: boolean) => unknown,
  path: string,
): unknown {
  if (isTensor(tree)) return replace({ path, value: tree }, false);
  if (typeof tree === 'number') {
    const value: Tensor = {
      dtype: 'float32',
      shape: [],
      data: Float32Array.of(tree),
    };
    return replace({ path, value }, true);
  }
  if (Array.isArray(tree)) {
    return tree.map((branch, index) => mapTree(branch, replace, `${path}[${index}]`));
  }
  if (typeof tree === 'object' && tree !== null) {
    const prototype = Object.getPrototypeOf(tree);
    if (prototype === Object.prototype || prototype === null) {
      return Object.fromEntries(
        Object.entries(tree).map(([key, branch]) => [
          key,
          mapTree(branch, replace, `${path}.${key}`),
        ]),
      );
    }
  }
  const received = tree === null ? 'null' : typeof tree;
  throw new InvalidInputError(path, 'a tensor, a number or a tree of them', received);
}

/** The leaves of a tree in order. */
export function treeLeaves(tree: unknown, path = 'tree'): AnyTensor[] {
  const leaves: AnyTensor[] = [];
  mapTree(tree, ({ value }) => leaves.push(value), path);
  return leaves;
}
