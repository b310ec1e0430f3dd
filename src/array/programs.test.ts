/** Random programs of a dozen operations, with gradients: compiled numbers against jax-js's own. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { grad, type JaxArray, nn, numpy as np } from './jax.ts';
import { expectParity, normal } from './parity.ts';
import { elementCount } from './tensor.ts';

/** One step: from the array so far, and a source of choices, to the next array. */
type Step = (x: JaxArray, choose: (bound: number) => number) => JaxArray;

function permutation(rank: number, choose: (bound: number) => number): number[] {
  const rest = Array.from({ length: rank }, (_, axis) => axis);
  return rest.map(() => 0).map(() => rest.splice(choose(rest.length), 1)[0]!);
}

/** Another shape of as many elements: two neighbours joined, or one axis split. */
function reshaped(shape: readonly number[], choose: (bound: number) => number): number[] {
  if (shape.length > 1 && choose(2) === 0) {
    const axis = choose(shape.length - 1);
    return shape.toSpliced(axis, 2, shape[axis]! * shape[axis + 1]!);
  }
  if (shape.length === 0 || choose(3) === 0) return shape.toSpliced(choose(2), 0, 1);
  const axis = choose(shape.length);
  const factor = [2, 3, 1].find((candidate) => shape[axis]! % candidate === 0)!;
  return shape.toSpliced(axis, 1, factor, shape[axis]! / factor);
}

const weights = (shape: readonly number[], choose: (bound: number) => number) => {
  const { data } = normal(shape, choose(1000), 0.5);
  return np.array(data as Float32Array<ArrayBuffer>).reshape([...shape]);
};

const steps: Record<string, Step> = {
  reshape: (x, choose) => x.reshape(reshaped(x.shape, choose)),
  transpose: (x, choose) => x.transpose(permutation(x.ndim, choose)),
  widen: (x, choose) => {
    if (x.size > 200 || x.ndim > 4) return x;
    const axis = choose(x.ndim + 1);
    const open = x.shape.toSpliced(axis, 0, 1);
    return np.broadcastTo(x.reshape(open), open.toSpliced(axis, 1, 2 + choose(2)));
  },
  sum: (x, choose) => (x.ndim > 1 ? np.sum(x, choose(x.ndim)).mul(0.5) : x),
  max: (x, choose) => (x.ndim > 1 ? np.max(x, choose(x.ndim)) : x),
  tanh: (x) => np.tanh(x),
  square: (x) => np.square(np.sin(x)),
  half: (x, choose) => {
    const axis = x.ndim > 0 ? choose(x.ndim) : -1;
    if (axis < 0 || x.shape[axis]! < 2) return x;
    const [first, second] = np.split(x, [1], axis) as [JaxArray, JaxArray];
    return np.concatenate([second, first], axis);
  },
  flip: (x, choose) => (x.ndim > 0 ? np.flip(x, choose(x.ndim)) : x),
  pad: (x, choose) =>
    x.ndim > 0 && x.size < 200 ? np.pad(x, { [choose(x.ndim)]: [1, 0] }) : x,
  softmax: (x, choose) => (x.ndim > 0 ? nn.softmax(x, choose(x.ndim)) : x),
  scale: (x, choose) => {
    const shape = x.shape.map((size) => (choose(2) === 0 ? 1 : size));
    return x.mul(weights(shape, choose));
  },
  mask: (x, choose) => np.where(weights(x.shape, choose).less(0), x, 0.25),
  product: (x, choose) => {
    if (x.ndim < 2 || x.ndim > 4) return x;
    const columns = 1 + choose(3);
    return np.matmul(x, weights([x.shape.at(-1)!, columns], choose));
  },
  gram: (x) =>
    x.ndim > 1 && x.size < 300 ? np.matmul(x.ref, np.swapaxes(x, -1, -2)) : x,
  contract: (x, choose) => {
    if (x.ndim < 2 || x.size > 300) return x;
    const axis = choose(x.ndim);
    const other = weights([x.shape[axis]!, 2], choose);
    return np.tensordot(x, other, [[axis], [0]]);
  },
};

const names = Object.keys(steps);
const plan = fc.record({
  shape: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
  steps: fc.array(fc.constantFrom(...names), { minLength: 2, maxLength: 12 }),
  seed: fc.integer({ min: 0, max: 2 ** 30 }),
});

it('random programs agree, and so do their gradients', async () => {
  const numRuns = Number(process.env.ASSAY_PROGRAM_RUNS ?? 40);
  await fc.assert(
    fc.asyncProperty(plan, async ({ shape, steps: chosen, seed }) => {
      const program = (x: JaxArray) => {
        let state = seed;
        const choose = (bound: number) => {
          state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
          return (state >>> 8) % bound;
        };
        return chosen.reduce((array, name) => steps[name]!(array, choose), x);
      };
      const x = normal(shape, seed);
      const [result] = await expectParity(program, [x], 3e-5);
      expect(result!.data.length).toBe(elementCount(result!.shape));
      const loss = (a: JaxArray) => np.sum(np.sin(program(a)));
      await expectParity(grad(loss), [x], 1e-4);
    }),
    { numRuns },
  );
});
