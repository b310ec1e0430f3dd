/** The functions of jax-js's own library that models are written with: compiled numbers against its own. */

import { describe, it } from 'vitest';
import { grad, type JaxArray, nn, numpy as np, random, vmap } from './jax.ts';
import { expectParity, integers, normal, positive } from './parity.ts';
import type { AnyTensor } from './tensor.ts';

type Unary = (x: JaxArray) => JaxArray | JaxArray[];

const plain: Record<string, Unary> = {
  cumsum: (x) => np.cumsum(x, 1),
  cumprod: (x) => np.cumprod(x, 0),
  clip: (x) => np.clip(x, -0.5, 0.7),
  variance: (x) => np.var_(x, 1),
  deviation: (x) => np.std(x, 0),
  triangles: (x) => [np.tril(x.ref), np.triu(x, 1)],
  diagonal: (x) => [np.diagonal(x.ref), np.diag(np.diag(x))],
  trace: (x) => np.trace(x),
  outer: (x) => np.outer(x.ref.slice(0), x.slice(1)),
  power: (x) => [np.power(np.abs(x.ref), 1.5), np.power(x, 3)],
  exponentials: (x) => [np.expm1(x.ref), np.exp2(x.ref), np.log1p(np.abs(x))],
  hyperbolic: (x) => [np.sinh(x.ref), np.cosh(x)],
  roundings: (x) => [np.trunc(x.ref), np.rint(x.ref), np.round(x)],
  repeat: (x) => [np.repeat(x.ref, 2, 0), np.tile(x, [2, 3])],
  roll: (x) => np.roll(x, 1, 1),
  stack: (x) => [np.stack([x.ref, x.ref], 1), np.vstack([x.ref, x])],
  differences: (x) => np.diff(x, 1, 0),
  gelu: (x) => [nn.gelu(x.ref, { approximate: true }), nn.gelu(x)],
  sigmoids: (x) => [nn.sigmoid(x.ref), nn.silu(x.ref), nn.softplus(x.ref), nn.mish(x)],
  rectified: (x) => [nn.relu(x.ref), nn.leakyRelu(x.ref), nn.elu(x.ref), nn.selu(x)],
  standardize: (x) => nn.standardize(x, -1),
  logsumexp: (x) => [nn.logsumexp(x.ref, 0), np.logaddexp(x.ref, x.mul(2))],
  norm: (x) => [np.linalg.norm(x.ref), np.linalg.vectorNorm(x, { axis: 1 })],
  angle: (x) => np.arctan2(x.ref, x.mul(x.ref).add(0.1)),
  covariance: (x) => np.cov(x),
};

describe('library functions', () => {
  for (const [name, f] of Object.entries(plain)) {
    it(`${name}, with gradient`, async () => {
      await expectParity(f, [normal([4, 4], 7)], 3e-5);
      const flat = (x: JaxArray) => {
        const result = f(x);
        const parts = Array.isArray(result) ? result : [result];
        return parts.map((part) => np.sum(np.square(part))).reduce((a, b) => a.add(b));
      };
      const rounds = name === 'roundings';
      if (!rounds) await expectParity(grad(flat), [normal([4, 4], 8)], 1e-4);
    });
  }

  it('one-hot, finite checks, counts', async () => {
    await expectParity((i: JaxArray) => nn.oneHot(i, 6), [integers([2, 3], 6)]);
    const odd: AnyTensor = {
      dtype: 'float32',
      shape: [5],
      data: Float32Array.of(1, Number.NaN, Infinity, -Infinity, 0),
    };
    await expectParity(
      (x: JaxArray) => [
        np.isnan(x.ref),
        np.isfinite(x.ref),
        np.isinf(x),
        np.nanToNum(np.nan),
      ],
      [odd],
    );
  });

  it('vmap of a gradient: one gradient for each example', async () => {
    const loss = (w: JaxArray, x: JaxArray, y: JaxArray) =>
      np.square(np.dot(np.tanh(np.matmul(x, w)), y));
    const each = vmap(grad(loss), [null, 0, 0]);
    await expectParity(each, [normal([5, 3], 1), normal([7, 5], 2), normal([7, 3], 3)]);
  });

  it('dropout masks and categorical draws from a key', async () => {
    const f = (seed: JaxArray, logits: JaxArray) => {
      const [one, two] = random.split(random.key(seed), 2) as unknown as [
        JaxArray,
        JaxArray,
      ];
      return [random.bernoulli(one, 0.3, [4, 5]), random.categorical(two, logits)];
    };
    const seed: AnyTensor = { dtype: 'uint32', shape: [], data: Uint32Array.of(7) };
    await expectParity(f, [seed, positive(normal([6, 9], 2))]);
  });
});
