/** For tests: runs a function through jax-js itself and through `compile`, and compares. */

import {
  type DType,
  grad,
  init,
  type Array as JaxArray,
  numpy as np,
  tree,
} from '@jax-js/jax';
import { expect } from 'vitest';
import { compile } from './compile.ts';
import { createRandom } from './random.ts';
import { type AnyTensor, elementCount, type Shape, type Tensor } from './tensor.ts';
import { mapTree, treeLeaves } from './tree.ts';

await init('wasm');

/** A float32 tensor of normal numbers. */
export function normal(shape: Shape, seed = 1, scale = 1): Tensor {
  const random = createRandom(seed);
  const data = new Float32Array(elementCount(shape)).map(() => scale * random.normal());
  return { dtype: 'float32', shape, data };
}

/** An int32 tensor of uniform numbers in [0, bound). */
export function integers(shape: Shape, bound: number, seed = 1): Tensor<'int32'> {
  const random = createRandom(seed);
  const data = new Int32Array(elementCount(shape)).map(() => random.integer(bound));
  return { dtype: 'int32', shape, data };
}

/** A bool tensor of fair coin flips. */
export function flips(shape: Shape, seed = 1): Tensor<'bool'> {
  const random = createRandom(seed);
  const data = new Uint8Array(elementCount(shape)).map(() => random.integer(2));
  return { dtype: 'bool', shape, data };
}

/** The tensor as a jax-js array. */
export function toJax(tensor: AnyTensor): JaxArray {
  const { dtype, data, shape } = tensor;
  // jax-js makes no empty array from data.
  if (data.length === 0) return np.zeros([...shape], { dtype: dtype as DType });
  const stored = dtype === 'bool' ? Int32Array.from(data) : data;
  return np.array(stored as Float32Array<ArrayBuffer>, {
    shape: [...shape],
    dtype: dtype as DType,
  });
}

/** The array as a tensor; it is consumed. */
export function fromJax(array: JaxArray): AnyTensor {
  const { dtype, shape } = array;
  const data = array.dataSync();
  const plain = dtype === 'bool' ? Uint8Array.from(data) : data;
  return { dtype, shape, data: plain } as unknown as AnyTensor;
}

/** Expects equal structure, types, shapes, and numbers within a share of the largest one, or of 1. */
export function expectClose(got: AnyTensor, expected: AnyTensor, tolerance = 1e-5): void {
  expect(got.dtype).toBe(expected.dtype);
  expect(got.shape).toEqual(expected.shape);
  expect(got.data.length).toBe(expected.data.length);
  let largest = 1;
  for (const value of expected.data) {
    if (Number.isFinite(Number(value)))
      largest = Math.max(largest, Math.abs(Number(value)));
  }
  const isFloat = expected.dtype.startsWith('float');
  for (let index = 0; index < expected.data.length; index++) {
    const [one, two] = [Number(got.data[index]), Number(expected.data[index])];
    const close = isFloat
      ? Object.is(one, two) || one === two || Math.abs(one - two) <= tolerance * largest
      : one === two;
    if (!close) {
      const where = `element ${index} of ${got.dtype} [${got.shape.join(', ')}]`;
      expect.fail(`${where}: compiled ${one}, jax-js ${two}`);
    }
  }
}

type Traceable = (...inputs: never[]) => unknown;

/** Runs `f` both ways on a list of arguments and expects the same results. */
export async function expectParity(
  f: Traceable,
  inputs: readonly unknown[],
  tolerance = 1e-5,
): Promise<AnyTensor[]> {
  const compiled = compile(f as (...inputs: JaxArray[]) => JaxArray, { threads: 1 });
  try {
    const run = compiled as unknown as (...inputs: unknown[]) => Promise<unknown>;
    const got = treeLeaves(await run(...inputs));
    const arrays = mapTree(
      inputs,
      ({ value }, isNumber) =>
        isNumber ? np.array(Number(value.data[0])) : toJax(value),
      'inputs',
    ) as never[];
    const result = (f as (...inputs: never[]) => JaxArray)(...arrays);
    const expected = tree.leaves(result).map((leaf) => {
      const array = typeof leaf === 'number' ? np.array(leaf) : (leaf as JaxArray);
      return fromJax(array);
    });
    expect(got.length).toBe(expected.length);
    for (const [index, tensor] of got.entries()) {
      expectClose(tensor, expected[index]!, tolerance);
    }
    return got;
  } finally {
    await compiled.dispose();
  }
}

/** The tensor with every number made positive. */
export function positive(tensor: AnyTensor): AnyTensor {
  const data = Float32Array.from(tensor.data as Float32Array, (x) => Math.abs(x) + 0.2);
  return { ...tensor, data } as AnyTensor;
}

/** Integers between -9 and 9, zero only where allowed. */
export function signed(of: Shape, from: number, allowZero = true): AnyTensor {
  const { data, ...rest } = integers(of, allowZero ? 19 : 9, from);
  const shifted = data.map((x, index) =>
    allowZero ? x - 9 : (x + 1) * (index % 2 === 0 ? 1 : -1),
  );
  return { ...rest, data: shifted };
}

/** A uint32 tensor of odd numbers over the whole range. */
export function unsigned(of: Shape, from: number): AnyTensor {
  const data = new Uint32Array(integers(of, 2 ** 31 - 1, from).data).map(
    (x) => x * 2 + 1,
  );
  return { dtype: 'uint32', shape: of, data };
}

/** Runs `f` on random arguments, forward, and optionally the gradient of its weighted sum. */
export async function checkParity(
  f: (...inputs: JaxArray[]) => JaxArray,
  inputs: AnyTensor[],
  options: { gradient?: boolean; tolerance?: number } = {},
): Promise<void> {
  const [result] = await expectParity(f, inputs, options.tolerance);
  if (!options.gradient) return;
  const weights = normal(result!.shape, 99);
  const loss = (x: JaxArray, w: JaxArray, ...rest: JaxArray[]) =>
    f(x, ...rest)
      .mul(w)
      .sum();
  const [first, ...rest] = inputs;
  await expectParity(grad(loss as never), [first, weights, ...rest], options.tolerance);
}
