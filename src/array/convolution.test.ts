/** Convolutions, pooling, bits and random numbers: compiled numbers against jax-js's own. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile } from './compile.ts';
import { grad, type JaxArray, lax, numpy as np, random, vmap } from './jax.ts';
import { expectParity, integers, normal } from './parity.ts';
import type { AnyTensor, Shape } from './tensor.ts';

const seed = fc.integer({ min: 0, max: 1_000_000 });
const small = fc.integer({ min: 1, max: 3 });

type Pairs = [number, number][];

describe('convolution', () => {
  const settings = fc.record({
    strides: fc.tuple(small, small),
    padding: fc.tuple(
      fc.tuple(fc.nat(2), fc.nat(2)),
      fc.tuple(fc.nat(2), fc.nat(2)),
    ) as fc.Arbitrary<Pairs>,
    lhsDilation: fc.tuple(small, small),
    rhsDilation: fc.tuple(small, small),
  });

  it('any stride, padding and dilation, gradient for image and kernel', async () => {
    await fc.assert(
      fc.asyncProperty(settings, small, small, small, seed, async (s, b, c, o, from) => {
        const conv = (x: JaxArray, w: JaxArray) =>
          lax.convGeneralDilated(x, w, s.strides, s.padding, {
            lhsDilation: s.lhsDilation,
            rhsDilation: s.rhsDilation,
          });
        const inputs = [normal([b, c, 7, 8], from), normal([o, c, 2, 3], from + 1)];
        const [result] = await expectParity(conv, inputs, 2e-5);
        const weights = normal(result!.shape, from + 2);
        const loss = (x: JaxArray, w: JaxArray, y: JaxArray) => conv(x, w).mul(y).sum();
        await expectParity(grad(loss, { argnums: [0, 1] }), [...inputs, weights], 2e-5);
      }),
      { numRuns: 15 },
    );
  });

  it('one spatial axis, and float64 through windows', async () => {
    const conv = (x: JaxArray, w: JaxArray) => lax.conv(x, w, [2], 'SAME');
    await expectParity(conv, [normal([2, 3, 9], 1), normal([4, 3, 3], 2)]);
    const double = (s: Shape, from: number): AnyTensor => ({
      dtype: 'float64',
      shape: s,
      data: Float64Array.from(normal(s, from).data),
    });
    await expectParity(conv, [double([2, 3, 9], 1), double([4, 3, 3], 2)], 1e-14);
  });

  it('mapped over images, kernels or both', async () => {
    const conv = (x: JaxArray, w: JaxArray) => lax.conv(x, w, [1, 1], 'SAME');
    const images = normal([3, 2, 2, 5, 5], 1);
    const kernels = normal([3, 4, 2, 3, 3], 2);
    await expectParity(vmap(conv), [images, kernels], 2e-5);
    await expectParity(vmap(conv, [0, null]), [images, normal([4, 2, 3, 3], 3)], 2e-5);
    await expectParity(vmap(conv, [null, 0]), [normal([2, 2, 5, 5], 4), kernels], 2e-5);
  });
});

describe('pooling', () => {
  const settings = fc.tuple(small, small, small, small);

  it('maximum and sum over windows, with gradient', async () => {
    await fc.assert(
      fc.asyncProperty(settings, seed, async ([h, w, sh, sw], from) => {
        const x = normal([2, 3, 7, 8], from);
        for (const reduce of [np.max, np.sum]) {
          const f = (a: JaxArray) =>
            lax.reduceWindow(
              a,
              (part) => (reduce as (y: JaxArray) => JaxArray)(part as JaxArray),
              [1, 1, h, w],
              [1, 1, sh, sw],
            );
          const [result] = await expectParity(f, [x], 2e-5);
          const weights = normal(result!.shape, from + 1);
          const loss = (a: JaxArray, y: JaxArray) => f(a).mul(y).sum();
          await expectParity(grad(loss), [x, weights], 2e-5);
        }
      }),
      { numRuns: 10 },
    );
  });
});

describe('bits and random numbers', () => {
  it('combines, shifts and counts bits', async () => {
    const words = (from: number): AnyTensor => ({
      dtype: 'uint32',
      shape: [6],
      data: new Uint32Array(integers([6], 2 ** 31 - 1, from).data).map((x) => x * 2 + 1),
    });
    await expectParity(
      (x: JaxArray, y: JaxArray) => [
        np.bitwiseAnd(x.ref, y.ref),
        np.bitwiseOr(x.ref, y.ref),
        np.bitwiseXor(x.ref, y.ref),
        np.leftShift(x.ref, y.ref.mod(32)),
        np.rightShift(x.ref, y.mod(32)),
        np.bitwiseCount(x),
      ],
      [words(1), words(2)],
    );
    await expectParity(
      (x: JaxArray, y: JaxArray) => np.leftShift(x, y),
      [integers([5], 1000, 3), integers([5], 20, 4)],
    );
  });

  it('draws the same random numbers as jax-js', async () => {
    const draw = (number: JaxArray) => {
      const key = random.key(number);
      const [one, two] = random.split(key, 2) as unknown as [JaxArray, JaxArray];
      return [
        random.bits(one.ref, [3, 5]),
        random.uniform(one.ref, [4, 4]),
        random.normal(one, [7]),
        random.uniform(two, [2, 2]),
      ];
    };
    const number: AnyTensor = { dtype: 'uint32', shape: [], data: Uint32Array.of(42) };
    await expectParity(draw, [number], 3e-5);
  });

  it('reads every kind of float from its bits', async () => {
    const values = [
      0,
      -0,
      1,
      -1.5,
      1e-45,
      -1e-40,
      3.4e38,
      2 ** -126,
      Infinity,
      -Infinity,
    ];
    const floats = Float32Array.from(values);
    const bits: AnyTensor = {
      dtype: 'uint32',
      shape: [floats.length],
      data: new Uint32Array(floats.buffer),
    };
    const compiled = compile((x: JaxArray) => x.view(np.float32));
    const { data } = await compiled(bits);
    expect(data).toEqual(floats);
    await compiled.dispose();
  });
});
