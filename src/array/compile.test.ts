/** The compiled function as users meet it: trees, caching, cancelling, buffers, errors. */

import { afterEach, describe, expect, it } from 'vitest';
import { CancelledError, InvalidInputError } from '../error.ts';
import { type Compiled, compile, compileLoop } from './compile.ts';
import { type JaxArray, keep, lossAndGradient, numpy as np } from './jax.ts';
import { decodeModel } from './onnx/index.ts';
import { normal } from './parity.ts';
import { type AnyTensor, float32, int32, type Tensor } from './tensor.ts';

const open: { dispose(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((compiled) => compiled.dispose()));
});
function opened<F extends (...inputs: never[]) => unknown>(
  ...[f, options]: Parameters<typeof compile<F>>
): Compiled<F> {
  const compiled = compile(f, { threads: 1, ...options });
  open.push(compiled);
  return compiled;
}

describe('compile', () => {
  it('takes and returns nested arrays and objects, numbers too', async () => {
    const f = opened(
      (tree: { a: JaxArray; list: [JaxArray, JaxArray] }, x: JaxArray) => ({
        sum: tree.a.add(tree.list[0]),
        deep: [{ product: tree.list[1].mul(x) }],
      }),
    );
    const one = float32([2], Float32Array.of(1, 2));
    const result = await f({ a: one, list: [one, one] }, 3);
    expect([...result.sum.data]).toEqual([2, 4]);
    expect([...result.deep[0]!.product.data]).toEqual([3, 6]);
  });

  it('traces once for each combination of shapes and types', async () => {
    let traces = 0;
    const f = opened((x: JaxArray) => {
      traces++;
      return x.mul(2);
    });
    await f(normal([2]));
    await f(normal([2], 5));
    expect(traces).toBe(1);
    await f(normal([3]));
    await f(int32([2]));
    expect(traces).toBe(3);
    await f(normal([3]));
    expect(traces).toBe(3);
  });

  it('forgets the least recently used program beyond its limit', async () => {
    let traces = 0;
    const f = opened(
      (x: JaxArray) => {
        traces++;
        return x.mul(2);
      },
      { cacheSize: 2 },
    );
    for (const size of [1, 2, 1, 3, 1]) await f(normal([size]));
    expect(traces).toBe(3);
    await f(normal([2]));
    expect(traces).toBe(4);
  });

  it('never changes its inputs and gives new results each time', async () => {
    const f = opened((x: JaxArray) => [x.ref, x.mul(2)]);
    const x = normal([4]);
    const before = x.data.slice();
    const [same] = await f(x);
    same!.data.fill(0);
    expect(x.data).toEqual(before);
    expect([...(await f(x))[1]!.data]).toEqual([...before].map((value) => value * 2));
  });

  it('takes narrow integers, as int32 inside', async () => {
    const f = opened((x: JaxArray, scale: JaxArray) => x.astype(np.float32).mul(scale));
    const codes = [
      { dtype: 'uint8', shape: [3], data: Uint8Array.of(0, 200, 255) },
      { dtype: 'int8', shape: [3], data: Int8Array.of(0, -56, -1) },
      { dtype: 'int64', shape: [3], data: BigInt64Array.of(0n, 200n, 255n) },
    ] as AnyTensor[];
    for (const x of codes) {
      const { data } = await f(x, 0.5);
      expect([...data]).toEqual(Array.from(x.data as Int8Array, (v) => Number(v) / 2));
    }
  });

  it('writes into given tensors and refuses wrong or aliased ones', async () => {
    const f = opened((x: JaxArray) => ({ y: x.ref.mul(2), z: x.sum() }));
    const target = { y: float32([3]), z: float32([]) };
    const x = float32([3], Float32Array.of(1, 2, 3));
    const result = await f.into(target, x);
    expect([...target.y.data]).toEqual([2, 4, 6]);
    expect(result.z.data).toBe(target.z.data);
    expect(target.z.data[0]).toBe(6);
    await expect(f.into({ y: float32([2]), z: float32([]) }, x)).rejects.toThrow(
      'target 0: expected float32 [3], got float32 [2]',
    );
    await expect(f.into({ y: x, z: float32([]) }, x)).rejects.toThrow(/no inputs/);
  });

  it('runs calls at once and finishes them before it is disposed', async () => {
    const f = opened((x: JaxArray) => np.matmul(x, np.ones([3, 3])));
    const calls = Array.from({ length: 8 }, (_, seed) => f(normal([2, 3], seed)));
    const disposed = f.dispose();
    const results = await Promise.all(calls);
    await disposed;
    for (const [seed, result] of results.entries()) {
      const { data } = normal([2, 3], seed);
      expect(result.data[0]).toBeCloseTo(data[0]! + data[1]! + data[2]!, 5);
    }
    expect((await f(normal([2, 3]))).shape).toEqual([2, 3]);
  });

  it('feeds large constants, bakes small ones, and needs no copies of uniform ones', async () => {
    const large = normal([64, 64], 3);
    const f = opened((x: JaxArray) =>
      x
        .add(np.array(large.data.slice()).reshape([64, 64]))
        .mul(np.ones([64, 64]))
        .add(np.arange(64)),
    );
    const x = normal([64, 64], 4);
    const { data } = await f(x);
    for (const index of [0, 77, 4095]) {
      const expected = x.data[index]! + large.data[index]! + (index % 64);
      expect(data[index]).toBeCloseTo(expected, 5);
    }
    const bytes = await f.model(x);
    expect(bytes.length).toBeLessThan(3000);
    const { graph } = decodeModel(bytes);
    expect(graph.inputs.length).toBe(2);
  });

  it('lowers a two-layer gradient to five products, without expanding or moving anything', async () => {
    const loss = (w: [JaxArray, JaxArray], x: JaxArray, y: JaxArray) => {
      const hidden = np.tanh(np.matmul(x, np.transpose(w[0])));
      return np.mean(np.square(np.matmul(hidden, np.transpose(w[1])).sub(y)));
    };
    const f = opened(lossAndGradient(loss));
    const weights = [normal([8, 6], 1), normal([3, 8], 2)] as const;
    const bytes = await f.model([...weights], normal([2, 5, 6], 3), normal([2, 5, 3], 4));
    const { nodes, initializers } = decodeModel(bytes).graph;
    const count = (operator: string) =>
      nodes.filter((node) => node.operator === operator).length;
    expect(count('MatMul')).toBe(5);
    expect(count('Expand')).toBe(0);
    // Only those that ONNX Runtime fuses into a product: the product is their one reader.
    for (const node of nodes.filter(({ operator }) => operator === 'Transpose')) {
      const readers = nodes.filter(({ inputs }) => inputs.includes(node.outputs[0]!));
      expect(readers.map(({ operator }) => operator)).toEqual(['MatMul']);
    }
    for (const { bytes: constant } of initializers)
      expect(constant.length).toBeLessThan(65);
    expect(bytes.length).toBeLessThan(6000);
  });

  it('names the place of what is no tensor', async () => {
    const f = opened((x: { a: JaxArray[] }) => x.a[0]!);
    const bad = { a: ['text'] } as unknown as { a: Tensor[] };
    await expect(f(bad)).rejects.toThrow(
      'arguments[0].a[0]: expected a tensor, a number or a tree of them, got string',
    );
    const wrong: AnyTensor = { dtype: 'float32', shape: [3], data: new Float32Array(2) };
    await expect(f({ a: [wrong] })).rejects.toThrow(/expected 3 elements/);
    const half: AnyTensor = { dtype: 'bfloat16', shape: [1], data: new Uint16Array(1) };
    await expect(f({ a: [half] })).rejects.toBeInstanceOf(InvalidInputError);
  });

  it('builds again after a failed trace', async () => {
    let fail = true;
    const f = opened((x: JaxArray) => {
      if (fail) throw new Error('not yet');
      return x.mul(2);
    });
    await expect(f(normal([1]))).rejects.toThrow('not yet');
    fail = false;
    expect((await f(normal([1]))).shape).toEqual([1]);
  });

  it('stops when its signal fires', async () => {
    const controller = new AbortController();
    const f = opened((x: JaxArray) => x.mul(2), { signal: controller.signal });
    await f(normal([2]));
    const underWay = f(normal([2]));
    controller.abort();
    await expect(underWay).rejects.toBeInstanceOf(CancelledError);
    await expect(f(normal([2]))).rejects.toBeInstanceOf(CancelledError);
  });

  it('gives the same bytes on one and two threads, run after run', async () => {
    const f = (x: JaxArray, w: JaxArray) => np.tanh(np.matmul(x, w));
    const inputs = [normal([64, 96], 1), normal([96, 80], 2)] as const;
    const one = await opened(f, { threads: 1 })(...inputs);
    const two = await opened(f, { threads: 2 })(...inputs);
    const again = await opened(f, { threads: 2 })(...inputs);
    expect(two.data).toEqual(one.data);
    expect(again.data).toEqual(two.data);
  });
});

describe('compileLoop', () => {
  type State = { w: JaxArray; count: JaxArray };
  const step = (state: State, x: JaxArray): [State, JaxArray] => {
    const loss = (w: JaxArray, input: JaxArray) =>
      np.mean(np.square(np.matmul(input, w)));
    const [value, gradient] = lossAndGradient(loss)(keep(state.w), x);
    const w = state.w.sub(gradient.mul(0.1));
    return [{ w, count: state.count.add(1) }, value];
  };

  it('carries the state as plain calls do, in two sets of buffers', async () => {
    const initial = { w: normal([5, 2], 1), count: float32([]) };
    const start = initial.w.data.slice();
    const loop = compileLoop(step, initial, { threads: 1 });
    open.push(loop);
    const plain = opened(step);
    let expected: { w: Tensor; count: Tensor } = initial;
    const buffers = new Set<Float32Array>();
    for (let index = 0; index < 7; index++) {
      const x = normal([4, 5], index + 2);
      const loss = await loop.step(x);
      const [next, value] = await plain(expected, x);
      expect(loss.data).toEqual(value.data);
      expect(loop.state.w.data).toEqual(next.w.data);
      buffers.add(loop.state.w.data);
      expected = next;
    }
    expect(loop.state.count.data[0]).toBe(7);
    expect(buffers.size).toBe(2);
    expect(initial.w.data).toEqual(start);
  });

  it('refuses a step that changes the shape of the state', async () => {
    const grow = (state: JaxArray): [JaxArray, JaxArray] => [
      np.concatenate([state.ref, state], 0),
      np.array(0),
    ];
    const loop = compileLoop(grow, float32([2]));
    open.push(loop);
    await expect(loop.step()).rejects.toThrow(/new state: expected "float32 \[2\]"/);
  });
});
