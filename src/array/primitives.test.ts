/** Every lowered primitive on random shapes: compiled numbers against jax-js's own. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile } from './compile.ts';
import { toFloat32 } from './float16.ts';
import { grad, type JaxArray, lax, nn, numpy as np } from './jax.ts';
import { expectClose, expectParity, flips, integers, normal } from './parity.ts';
import { type AnyTensor, float32, int32, type Shape, type Tensor } from './tensor.ts';

const runs = { numRuns: 12 };
const seed = fc.integer({ min: 0, max: 1_000_000 });
const size = fc.integer({ min: 1, max: 4 });
const shape = fc.array(size, { minLength: 0, maxLength: 4 });
const sizedShape = fc.array(size, { minLength: 1, maxLength: 4 });

/** Two shapes that broadcast together. */
const broadcastPair = sizedShape.chain((full) =>
  fc
    .tuple(
      fc.array(fc.boolean(), { minLength: full.length, maxLength: full.length }),
      fc.array(fc.boolean(), { minLength: full.length, maxLength: full.length }),
      fc.integer({ min: 0, max: full.length }),
    )
    .map(([ones, others, cut]): [number[], number[]] => [
      full.map((n, axis) => (ones[axis] ? 1 : n)).slice(cut),
      full.map((n, axis) => (others[axis] ? 1 : n)),
    ]),
);

function positive(tensor: AnyTensor): AnyTensor {
  const data = Float32Array.from(tensor.data as Float32Array, (x) => Math.abs(x) + 0.2);
  return { ...tensor, data } as AnyTensor;
}

/** Integers between -9 and 9, zero only where allowed. */
function signed(of: Shape, from: number, allowZero = true): AnyTensor {
  const { data, ...rest } = integers(of, allowZero ? 19 : 9, from);
  const shifted = data.map((x, index) =>
    allowZero ? x - 9 : (x + 1) * (index % 2 === 0 ? 1 : -1),
  );
  return { ...rest, data: shifted };
}

function unsigned(of: Shape, from: number): AnyTensor {
  const data = new Uint32Array(integers(of, 2 ** 31 - 1, from).data).map(
    (x) => x * 2 + 1,
  );
  return { dtype: 'uint32', shape: of, data };
}

/** Runs `f` on random arguments, forward, and optionally the gradient of its weighted sum. */
async function check(
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

describe('elementwise', () => {
  const binaries: [string, (x: JaxArray, y: JaxArray) => JaxArray][] = [
    ['add', (x, y) => x.add(y)],
    ['sub', (x, y) => x.sub(y)],
    ['mul', (x, y) => x.mul(y)],
    ['div', (x, y) => x.div(y)],
    ['min', (x, y) => np.minimum(x, y)],
    ['max', (x, y) => np.maximum(x, y)],
  ];
  for (const [name, f] of binaries) {
    it(`${name}: float32, broadcast, with gradient`, async () => {
      await fc.assert(
        fc.asyncProperty(broadcastPair, seed, async ([one, two], from) => {
          const inputs = [normal(one, from), positive(normal(two, from + 1))];
          await check(f, inputs, { gradient: true, tolerance: 2e-5 });
        }),
        runs,
      );
    });
  }

  it('integers: add, mul, min, max, wrap-around', async () => {
    await fc.assert(
      fc.asyncProperty(broadcastPair, seed, async ([one, two], from) => {
        const inputs = [signed(one, from), signed(two, from + 1, false)];
        await expectParity(
          (x: JaxArray, y: JaxArray) => [
            x.ref.add(y.ref),
            x.ref.mul(y.ref),
            np.minimum(x.ref, y.ref),
            np.maximum(x.ref, y.ref),
            x.neg().sub(y),
          ],
          inputs,
        );
        const wide = [unsigned(one, from), unsigned(two, from + 1)];
        await expectParity(
          (x: JaxArray, y: JaxArray) => [
            x.ref.add(y.ref),
            x.ref.mul(y.ref.mod(65536)),
            x.ref.less(y.ref),
            x.ref.equal(y.ref),
            np.maximum(x.ref, y.ref),
            np.minimum(x, y),
          ],
          wide,
        );
      }),
      runs,
    );
  });

  it('divides integers towards zero, also by zero without harm', async () => {
    // Against JavaScript: jax-js folds a constant negative dividend to a wrong quotient.
    const f = (x: JaxArray, y: JaxArray) => [x.ref.div(y.ref), x.mod(y)];
    const compiled = compile(f);
    const x = Int32Array.from([7, -7, 7, -7, 0, -(2 ** 31), 2 ** 31 - 1, 5]);
    const y = Int32Array.from([2, 2, -2, -2, 3, -1, 7, 0]);
    const [quotient, remainder] = await compiled(int32([8], x), int32([8], y));
    for (const index of [0, 1, 2, 3, 4, 5, 6]) {
      expect(quotient!.data[index]).toBe(Math.trunc(x[index]! / y[index]!) | 0);
      expect(remainder!.data[index]).toBe((x[index]! % y[index]!) | 0);
    }
    await compiled.dispose();
  });

  it('erfc keeps its relative precision in the tail', async () => {
    const compiled = compile((x: JaxArray) => lax.erfc(x));
    const x = float32([4], Float32Array.from([-1, 0.5, 2, 4]));
    const { data } = await compiled(x);
    const known = [1.842700793, 0.4795001222, 0.004677734981, 1.54172579e-8];
    for (const [index, value] of known.entries()) {
      expect(Math.abs(data[index]! / value - 1)).toBeLessThan(2e-6);
    }
    await compiled.dispose();
  });

  it('mod of floats keeps the sign of the dividend', async () => {
    await expectParity(
      (x: JaxArray, y: JaxArray) => x.mod(y),
      [normal([3, 5], 1, 5), positive(normal([5], 2))],
    );
  });

  const unaries: [string, (x: JaxArray) => JaxArray, boolean?][] = [
    ['neg', (x) => x.neg()],
    ['reciprocal', (x) => np.reciprocal(x), true],
    ['floor', (x) => np.floor(x)],
    ['ceil', (x) => np.ceil(x)],
    ['sin', (x) => np.sin(x)],
    ['cos', (x) => np.cos(x)],
    ['tan', (x) => np.tan(x.mul(0.3))],
    ['asin', (x) => np.arcsin(np.tanh(x))],
    ['atan', (x) => np.arctan(x)],
    ['exp', (x) => np.exp(x)],
    ['log', (x) => np.log(x), true],
    ['erf', (x) => lax.erf(x)],
    ['erfc', (x) => lax.erfc(x)],
    ['sqrt', (x) => np.sqrt(x), true],
    ['tanh', (x) => np.tanh(x)],
    ['abs', (x) => np.abs(x)],
    ['sign', (x) => np.sign(x)],
    ['round', (x) => np.floor(x.add(0.5))],
    ['square', (x) => np.square(x)],
  ];
  for (const [name, f, isPositive] of unaries) {
    it(`${name}: float32 with gradient`, async () => {
      await fc.assert(
        fc.asyncProperty(shape, seed, async (of, from) => {
          const x = normal(of, from, 2);
          const gradient = !['floor', 'ceil', 'round', 'sign'].includes(name);
          const tolerance = ['erf', 'erfc', 'asin'].includes(name) ? 3e-5 : 1e-5;
          await check(f, [isPositive ? positive(x) : x], { gradient, tolerance });
        }),
        { numRuns: 6 },
      );
    });
  }

  it('compares floats, integers and truth values', async () => {
    await fc.assert(
      fc.asyncProperty(broadcastPair, seed, async ([one, two], from) => {
        const all = (x: JaxArray, y: JaxArray) => [
          x.ref.less(y.ref),
          x.ref.lessEqual(y.ref),
          x.ref.equal(y.ref),
          x.ref.notEqual(y.ref),
          x.ref.greater(y.ref),
          x.greaterEqual(y),
        ];
        await expectParity(all, [signed(one, from), signed(two, from + 1)]);
        await expectParity(all, [normal(one, from), signed(two, from + 1)]);
        await expectParity(
          (x: JaxArray, y: JaxArray) => [x.ref.equal(y.ref), x.notEqual(y)],
          [flips(one, from), flips(two, from + 1)],
        );
      }),
      runs,
    );
  });

  it('where: every type, broadcast masks, gradient', async () => {
    await fc.assert(
      fc.asyncProperty(broadcastPair, seed, async ([one, two], from) => {
        const pick = (x: JaxArray, y: JaxArray, mask: JaxArray) => np.where(mask, x, y);
        const mask = flips(two, from);
        await check(pick, [normal(one, from), normal(two, from + 1), mask], {
          gradient: true,
        });
        await check(pick, [signed(one, from), signed(two, from + 1), mask]);
        await check(pick, [unsigned(one, from), unsigned(two, from + 1), mask]);
        await check(pick, [flips(one, from + 3), flips(two, from + 1), mask]);
        await check((x, m) => np.where(m, x, 0), [normal(one, from), mask]);
      }),
      runs,
    );
  });

  it('casts between all types', async () => {
    const types = [np.float32, np.int32, np.uint32, np.bool, np.float64];
    const sources = [
      { ...normal([7], 1), data: new Float32Array([0, 1, 2.7, 100.4, 0.4, 3, 65000]) },
      integers([7], 2000, 2),
      { ...unsigned([7], 3), data: new Uint32Array([0, 1, 2, 3, 4, 5, 2 ** 20]) },
      flips([7], 4),
      { dtype: 'float64', shape: [3], data: new Float64Array([0, 1.25, 7.5]) },
    ] as AnyTensor[];
    for (const source of sources) {
      await expectParity(
        (x: JaxArray) => types.map((type) => x.ref.astype(type)),
        [source],
      );
    }
  });

  it('truth values: and, or, not, xor by arithmetic', async () => {
    const f = (x: JaxArray, y: JaxArray) => [
      x.ref.mul(y.ref),
      x.ref.add(y.ref),
      np.maximum(x.ref, y.ref),
      np.minimum(x.ref, y.ref),
      x.ref.notEqual(y.ref),
      np.logicalNot(x),
      np.logicalAnd(y.ref, y),
    ];
    await expectParity(f, [flips([3, 4], 1), flips([4], 2)]);
  });
});

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
            await check((a) => f(a, axes), [x], { gradient: true, tolerance: 2e-5 });
            if (name !== 'mean') await check((a) => f(a, axes), [signed(of, from)]);
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
          await check((x) => x.transpose(one).transpose(two).mul(2), [normal(of, from)], {
            gradient: true,
          });
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
        await check(mixed, [normal([a, c], from), normal([a * b, a], from + 1)], {
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
        await check(f, [normal([a, b], from), normal([a, 3], from + 1)], {
          gradient: true,
        });
        await check(f, [signed([a, b], from), signed([a, 3], from + 1)]);
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
          await check((a, b) => np.matmul(a, b), [x, y], options);
          await check((b, a) => np.matmul(a, b), [y, x], options);
          await check(
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
      await check((a, b) => np.einsum(subscripts, a, b), [x!, y!], options);
      await check((b, a) => np.einsum(subscripts, a, b), [y!, x!], options);
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
        await check((x, i) => np.take(x, i, 0), [normal([rows, width], from), ids], {
          gradient: true,
        });
        await check((x, i) => np.take(x, i, 1), [normal([width, rows], from), ids], {
          gradient: true,
        });
        await check(
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
    await check((a, i, j) => a.slice(i, [], j), [x, one, two], { gradient: true });
    await check((a, i, j) => a.slice(i, j), [normal([3, 2, 4], 4), one, two], {
      gradient: true,
    });
    await check((a, i) => a.slice([], i, 1), [normal([2, 3, 4], 5), one], {
      gradient: true,
    });
  });

  it('takes along an axis', async () => {
    const ids = integers([3, 4], 5, 1);
    await check((x, i) => np.takeAlongAxis(x, i, 1), [normal([3, 5], 2), ids], {
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
  it('sorts and argsorts along any axis, ties in order', async () => {
    await fc.assert(
      fc.asyncProperty(sizedShape, seed, async (of, from) => {
        const axis = from % of.length;
        const x = signed(of, from);
        await expectParity(
          (a: JaxArray) => [np.sort(a.ref, axis), np.argsort(a, axis)],
          [x],
        );
        await check((a) => np.sort(a, axis), [normal(of, from)], { gradient: true });
      }),
      runs,
    );
  });
});

it('names a primitive that has no lowering', async () => {
  const compiled = compile((x: JaxArray) => lax.linalg.cholesky(x));
  const x = normal([2, 2]);
  await expect(compiled(x)).rejects.toThrow(
    'compile: the primitive "cholesky" is not lowered to ONNX yet',
  );
});

it('orders truth values', async () => {
  const compiled = compile((x: JaxArray, y: JaxArray) => [
    x.ref.less(y.ref),
    x.lessEqual(y),
  ]);
  const table = (bits: number[]): AnyTensor => ({
    dtype: 'bool',
    shape: [4],
    data: Uint8Array.from(bits),
  });
  const [less, lessEqual] = await compiled(table([0, 0, 1, 1]), table([0, 1, 0, 1]));
  expect([...less!.data]).toEqual([0, 1, 0, 0]);
  expect([...lessEqual!.data]).toEqual([1, 1, 0, 1]);
  await compiled.dispose();
});

it('computes float64 in float64', async () => {
  const random = (s: Shape, from: number): AnyTensor => ({
    dtype: 'float64',
    shape: s,
    data: Float64Array.from(normal(s, from).data, (x) => Math.abs(x) / 3 + 0.1),
  });
  const f = (x: JaxArray, y: JaxArray) => [
    np.matmul(x.ref, y.ref),
    np.max(x.ref, 0),
    np.prod(x.ref, 1),
    x.ref.div(y.transpose()),
    np.where(x.ref.less(0.5), x, 0),
  ];
  const x = random([3, 4], 1);
  await expectParity(f, [x, random([4, 3], 2)], 1e-15);
  // jax-js's own exp and log have float32's precision only.
  const compiled = compile((a: JaxArray) => [np.exp(a.ref), np.log(a)]);
  const [exponentials, logarithms] = await compiled(x);
  for (const [index, value] of x.data.entries()) {
    expect(exponentials!.data[index]).toBeCloseTo(Math.exp(Number(value)), 13);
    expect(logarithms!.data[index]).toBeCloseTo(Math.log(Number(value)), 13);
  }
  await compiled.dispose();
});

it('computes float16 to its own precision', async () => {
  const half = (s: Shape, from: number): AnyTensor => ({
    dtype: 'float16',
    shape: s,
    data: Float16Array.from(normal(s, from).data),
  });
  const f = (x: JaxArray, y: JaxArray) => [
    np.matmul(x.ref, y.ref),
    np.exp(x.ref).sum(1),
    np.max(x.ref, 0),
    nn.softmax(x, -1),
  ];
  const inputs = [half([3, 4], 1), half([4, 3], 2)] as const;
  const compiled = compile(f);
  const got = await compiled(...inputs);
  const wide = inputs.map((input) => toFloat32(input)) as [Tensor, Tensor];
  const expected = await compiled(...wide);
  for (const [index, tensor] of got.entries()) {
    expect(tensor.dtype).toBe('float16');
    expectClose(toFloat32(tensor), expected[index]!, 3e-3);
  }
  await compiled.dispose();
});
