/** Primitives that reduce, move, multiply, index and sort: compiled numbers against jax-js's own. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile } from './compile.ts';
import { grad, type JaxArray, nn, numpy as np } from './jax.ts';
import { decodeModel } from './onnx/index.ts';
import { checkParity, expectParity, flips, integers, normal, signed } from './parity.ts';
import { type AnyTensor, int32 } from './tensor.ts';

const runs = { numRuns: 12 };
const seed = fc.integer({ min: 0, max: 1_000_000 });
const size = fc.integer({ min: 1, max: 4 });
const shape = fc.array(size, { minLength: 0, maxLength: 4 });
const sizedShape = fc.array(size, { minLength: 1, maxLength: 4 });

describe('reductions', () => {
  const reductions: [string, (x: JaxArray, axes: number[]) => JaxArray][] = [
    ['sum', (x, axes) => np.sum(x, axes)],
    ['prod', (x, axes) => np.prod(x, axes)],
    ['min', (x, axes) => np.min(x, axes)],
    ['max', (x, axes) => np.max(x, axes)],
    ['mean', (x, axes) => np.mean(x, axes)],
  ];
  for (const [name, f] of reductions) {
    it(`${name} over any axes`, async () => {
      await fc.assert(
        fc.asyncProperty(
          sizedShape.chain((of) =>
            fc.tuple(fc.constant(of), fc.subarray(of.map((_, i) => i))),
          ),
          seed,
          async ([of, axes], from) => {
            const x = normal(of, from);
            await checkParity((a) => f(a, axes), [x], {
              gradient: true,
              tolerance: 2e-5,
            });
            if (name !== 'mean') await checkParity((a) => f(a, axes), [signed(of, from)]);
          },
        ),
        runs,
      );
    });
  }

  it('of broadcast arrays cost no copy and give the same', async () => {
    const f = (x: JaxArray) => {
      const wide = np.broadcastTo(x.reshape([3, 1, 2]), [3, 5, 2]);
      return [
        np.sum(wide.ref, 1),
        np.prod(wide.ref, [0, 1]),
        np.max(wide.ref, 1),
        np.mean(wide),
      ];
    };
    await expectParity(f, [normal([3, 2], 1)]);
  });

  it('of truth values and over no elements', async () => {
    await expectParity(
      (x: JaxArray) => [np.all(x.ref, 0), np.any(x, 1)],
      [flips([3, 4], 5)],
    );
    await expectParity(
      (x: JaxArray) => [np.sum(x.ref, 0), np.prod(x, [0, 1])],
      [normal([0, 3])],
    );
    await expectParity((x: JaxArray) => np.max(x, 0), [normal([0, 3])]);
  });

  it('extremes and sums of NaN are NaN, in softmax too', async () => {
    const data = Float32Array.of(1, Number.NaN, Infinity, 3, -2, -Infinity, 5, 6, 7);
    const x: AnyTensor = { dtype: 'float32', shape: [3, 3], data };
    const f = (a: JaxArray) => [
      np.max(a.ref, 1),
      np.min(a.ref, 0),
      np.sum(a.ref, 1),
      nn.softmax(a, 1),
    ];
    const [rows] = await expectParity(f, [x]);
    expect([...rows!.data]).toEqual([Number.NaN, 3, 7]);
  });

  it('softmax needs no search for NaN', async () => {
    const compiled = compile((a: JaxArray) => nn.softmax(a, -1));
    const { graph } = decodeModel(await compiled.model(normal([3, 4])));
    expect(graph.nodes.map((node) => node.operator)).not.toContain('IsNaN');
    await compiled.dispose();
  });

  it('argmax and argmin', async () => {
    await expectParity(
      (x: JaxArray) => [np.argmax(x.ref, 1), np.argmin(x, 0)],
      [normal([4, 5], 3)],
    );
  });
});

describe('shapes', () => {
  it('transposes any permutation', async () => {
    await fc.assert(
      fc.asyncProperty(
        sizedShape.chain((of) =>
          fc.tuple(
            fc.constant(of),
            fc.shuffledSubarray(
              of.map((_, i) => i),
              { minLength: of.length },
            ),
            fc.shuffledSubarray(
              of.map((_, i) => i),
              { minLength: of.length },
            ),
          ),
        ),
        seed,
        async ([of, one, two], from) => {
          await checkParity(
            (x) => x.transpose(one).transpose(two).mul(2),
            [normal(of, from)],
            {
              gradient: true,
            },
          );
        },
      ),
      runs,
    );
  });

  it('broadcasts, reshapes and transposes in any order', async () => {
    await fc.assert(
      fc.asyncProperty(size, size, size, seed, async (a, b, c, from) => {
        const mixed = (x: JaxArray, y: JaxArray) => {
          const wide = np.broadcastTo(x.reshape([a, 1, c]), [a, b, c]);
          const merged = wide.ref.reshape([a * b, c]).transpose([1, 0]);
          const split = wide
            .transpose([2, 0, 1])
            .reshape([c * a, b])
            .reshape([c, a * b]);
          const other = np.matmul(merged.add(split), y).reshape([1, c, 1, a, 1]);
          return other.transpose([3, 0, 1, 4, 2]);
        };
        await checkParity(mixed, [normal([a, c], from), normal([a * b, a], from + 1)], {
          gradient: true,
        });
      }),
      runs,
    );
  });

  it('flips, slices, pads, splits and joins', async () => {
    await fc.assert(
      fc.asyncProperty(size, size, seed, async (a, b, from) => {
        const f = (x: JaxArray, y: JaxArray) => {
          const flipped = np.flip(x.ref, [1]);
          const padded = np.pad(flipped, [
            [1, 0],
            [2, 1],
          ]);
          const inner = padded.slice([0, a], [1, b + 2]);
          const [left, right] = np.split(np.concatenate([inner, x, y], 1), [b], 1) as [
            JaxArray,
            JaxArray,
          ];
          return np.concatenate([right, left], 1);
        };
        await checkParity(f, [normal([a, b], from), normal([a, 3], from + 1)], {
          gradient: true,
        });
        await checkParity(f, [signed([a, b], from), signed([a, 3], from + 1)]);
      }),
      runs,
    );
  });

  it('pads and joins broadcast arrays and truth values', async () => {
    const f = (x: JaxArray, m: JaxArray) => {
      const wide = np.broadcastTo(x, [3, 2]);
      const joined = np.concatenate([wide.ref, np.zeros([3, 2])], 0);
      const padded = np.pad(wide, [
        [0, 1],
        [1, 1],
      ]);
      return [joined, padded, np.concatenate([m.ref, m], 0)];
    };
    await expectParity(f, [normal([2], 1), flips([2, 2], 2)]);
  });

  it('handles scalars and arrays without elements', async () => {
    await expectParity(
      (x: JaxArray, y: JaxArray) => [x.ref.add(y), np.exp(x)],
      [normal([]), normal([])],
    );
    await expectParity(
      (x: JaxArray, y: JaxArray) => [
        np.concatenate([x.ref, y.ref], 0),
        np.matmul(y.ref.transpose(), np.ones([2, 4])),
        np.matmul(x.ref.transpose(), x),
        y.slice([0, 0]),
      ],
      [normal([0, 3]), normal([2, 3])],
    );
  });
});

describe('products', () => {
  it('matmul of stacks with broadcast batches, gradient for each side', async () => {
    const batches = fc.constantFrom<[number[], number[]]>(
      [[], []],
      [[2], [2]],
      [
        [2, 3],
        [2, 3],
      ],
      [
        [2, 1],
        [1, 3],
      ],
      [[3], []],
      [[], [2]],
    );
    await fc.assert(
      fc.asyncProperty(
        batches,
        size,
        size,
        size,
        seed,
        async ([one, two], m, k, n, from) => {
          const x = normal([...one, m, k], from);
          const y = normal([...two, k, n], from + 1);
          const options = { gradient: true, tolerance: 2e-5 };
          await checkParity((a, b) => np.matmul(a, b), [x, y], options);
          await checkParity((b, a) => np.matmul(a, b), [y, x], options);
          await checkParity(
            (a, b) => np.matmul(a, b),
            [signed(x.shape, from), signed(y.shape, from)],
          );
        },
      ),
      { numRuns: 25 },
    );
  });

  const sums = ['ij,kj->ik', 'ij,jk->ki', 'bij,bkj->bik', 'bhid,bhjd->hbij', 'i,j->ij'];
  for (const subscripts of [...sums, 'ij,ij->', 'ij,ij->j', 'bij,jk->kbi', 'ijk,k->ij']) {
    it(`einsum ${subscripts}`, async () => {
      const sizes: Record<string, number> = { i: 2, j: 3, k: 4, b: 2, h: 3, d: 5 };
      const operands = subscripts.split('->')[0]!.split(',');
      const [x, y] = operands.map((letters, index) =>
        normal(
          [...letters].map((letter) => sizes[letter]!),
          index + 1,
        ),
      );
      const options = { gradient: true, tolerance: 2e-5 };
      await checkParity((a, b) => np.einsum(subscripts, a, b), [x!, y!], options);
      await checkParity((b, a) => np.einsum(subscripts, a, b), [y!, x!], options);
    });
  }

  it('second derivatives', async () => {
    const f = (w: JaxArray, x: JaxArray) => np.sum(np.tanh(np.matmul(x, w)));
    const twice = grad((w: JaxArray, x: JaxArray, v: JaxArray) =>
      grad(f)(w, x).mul(v).sum(),
    );
    await expectParity(twice, [normal([3, 2], 1), normal([4, 3], 2), normal([3, 2], 3)]);
  });
});

describe('indexing', () => {
  it('takes rows and columns, with gradient', async () => {
    await fc.assert(
      fc.asyncProperty(size, size, shape, seed, async (rows, width, of, from) => {
        const ids = integers(of, rows, from + 1);
        await checkParity(
          (x, i) => np.take(x, i, 0),
          [normal([rows, width], from), ids],
          {
            gradient: true,
          },
        );
        await checkParity(
          (x, i) => np.take(x, i, 1),
          [normal([width, rows], from), ids],
          {
            gradient: true,
          },
        );
        await checkParity(
          (x, i) => np.take(x, i, 1),
          [integers([width, rows, 2], 9, from), ids],
        );
      }),
      runs,
    );
  });

  it('indexes by several arrays, with gradient', async () => {
    const one = integers([4, 1], 3, 1);
    const two = integers([5], 2, 2);
    const x = normal([3, 6, 2], 3);
    await checkParity((a, i, j) => a.slice(i, [], j), [x, one, two], { gradient: true });
    await checkParity((a, i, j) => a.slice(i, j), [normal([3, 2, 4], 4), one, two], {
      gradient: true,
    });
    await checkParity((a, i) => a.slice([], i, 1), [normal([2, 3, 4], 5), one], {
      gradient: true,
    });
  });

  it('refuses indices outside their axis', async () => {
    const one = compile((x: JaxArray, i: JaxArray) => np.take(x, i, 0));
    const two = compile((x: JaxArray, i: JaxArray, j: JaxArray) => x.slice(i, j));
    const [x, bad, good] = [normal([3, 4]), int32([1], Int32Array.of(4)), int32([1])];
    await expect(one(x, bad)).rejects.toThrow(/out of data bounds/);
    await expect(two(x, good, bad)).rejects.toThrow(/invalid index/);
    expect((await two(x, good, good)).data[0]).toBe(x.data[0]);
    await Promise.all([one.dispose(), two.dispose()]);
  });

  it('takes along an axis', async () => {
    const ids = integers([3, 4], 5, 1);
    await checkParity((x, i) => np.takeAlongAxis(x, i, 1), [normal([3, 5], 2), ids], {
      gradient: true,
    });
  });

  it('adds thousands of equal rows exactly, on all threads', async () => {
    const rows = 20_000;
    const ids = integers([rows], 3, 7);
    const compiled = compile(
      grad((w: JaxArray, i: JaxArray) => np.take(w, i, 0).sum()),
      { threads: 2 },
    );
    const gradient = await compiled(normal([3, 64]), ids);
    const counts = [0, 0, 0];
    for (const id of ids.data) counts[id]!++;
    const expected = counts.flatMap((count) => new Array<number>(64).fill(count));
    expect([...gradient.data]).toEqual(expected);
    await compiled.dispose();
  });
});

describe('sorting', () => {
  it('puts NaN last', async () => {
    const data = Float32Array.of(
      Number.NaN,
      2,
      Infinity,
      -1,
      Number.NaN,
      0,
      3,
      -Infinity,
    );
    const x: AnyTensor = { dtype: 'float32', shape: [2, 4], data };
    const f = (a: JaxArray) => [np.sort(a.ref, 1), np.sort(a, 0)];
    const [rows] = await expectParity(f, [x]);
    expect([...rows!.data]).toEqual([-1, 2, Infinity, NaN, -Infinity, 0, 3, NaN]);
  });

  it('sorts and argsorts along any axis, ties in order', async () => {
    await fc.assert(
      fc.asyncProperty(sizedShape, seed, async (of, from) => {
        const axis = from % of.length;
        const x = signed(of, from);
        await expectParity(
          (a: JaxArray) => [np.sort(a.ref, axis), np.argsort(a, axis)],
          [x],
        );
        await checkParity((a) => np.sort(a, axis), [normal(of, from)], {
          gradient: true,
        });
      }),
      runs,
    );
  });
});
