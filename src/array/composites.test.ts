/** Whole computations, forward and gradient: compiled numbers against jax-js's own. */

import { describe, it } from 'vitest';
import {
  grad,
  type JaxArray,
  keep,
  nn,
  numpy as np,
  stopGradient,
  tree,
  valueAndGrad,
} from './jax.ts';
import { expectParity, integers, normal } from './parity.ts';

type Weights = Record<string, JaxArray>;

/** `x / sqrt(mean(x^2) + epsilon) * gain` over the last axis. */
function rmsNorm(x: JaxArray, gain: JaxArray): JaxArray {
  const square = np.mean(np.square(x.ref), -1, { keepdims: true });
  return x.mul(np.reciprocal(np.sqrt(square.add(1e-5)))).mul(gain);
}

function layerNorm(x: JaxArray, gain: JaxArray, bias: JaxArray): JaxArray {
  const centred = x.ref.sub(np.mean(x, -1, { keepdims: true }));
  const variance = np.mean(np.square(centred.ref), -1, { keepdims: true });
  return centred
    .mul(np.reciprocal(np.sqrt(variance.add(1e-5))))
    .mul(gain)
    .add(bias);
}

/** Rotates halves of the last axis of [batch, heads, time, size] by cos and sin [time, size / 2]. */
function rotate(x: JaxArray, cosine: JaxArray, sine: JaxArray): JaxArray {
  const [first, second] = np.split(x, 2, -1) as [JaxArray, JaxArray];
  return np.concatenate(
    [
      first.ref.mul(cosine.ref).sub(second.ref.mul(sine.ref)),
      second.mul(cosine).add(first.mul(sine)),
    ],
    -1,
  );
}

/** Causal softmax attention of [batch, heads, time, size] arrays. */
function attention(q: JaxArray, k: JaxArray, v: JaxArray): JaxArray {
  const size = q.shape.at(-1)!;
  const time = q.shape.at(-2)!;
  const scores = np.matmul(q, np.swapaxes(k, -1, -2)).mul(1 / Math.sqrt(size));
  const mask = np.tri(time).astype(np.bool);
  return np.matmul(nn.softmax(np.where(mask, scores, -1e9), -1), v);
}

function crossEntropy(logits: JaxArray, labels: JaxArray): JaxArray {
  const rows = logits.shape[0]!;
  const logProbabilities = nn.logSoftmax(logits, -1);
  const picked = logProbabilities.slice(np.arange(rows), labels);
  return np.mean(picked).neg();
}

function heads(x: JaxArray, count: number): JaxArray {
  const [batch, time, width] = x.shape as [number, number, number];
  return x.reshape([batch, time, count, width / count]).transpose([0, 2, 1, 3]);
}

/** A one-block transformer's loss over token ids [batch, time] and labels [batch * time]. */
function transformerLoss(weights: Weights, tokens: JaxArray, labels: JaxArray): JaxArray {
  const w = weights as Record<string, JaxArray>;
  const [batch, time] = tokens.shape as [number, number];
  let x = np.take(w.embedding!.ref, tokens, 0);
  const width = x.shape[2]!;
  const normed = rmsNorm(x.ref, w.gain1!);
  const query = heads(np.matmul(normed.ref, np.transpose(w.query!)), 2);
  const key = heads(np.matmul(normed.ref, np.transpose(w.key!)), 2);
  const value = heads(np.matmul(normed, np.transpose(w.value!)), 2);
  const mixed = attention(
    rotate(query, w.cosine!.ref, w.sine!.ref),
    rotate(key, w.cosine!, w.sine!),
    value,
  );
  const joined = mixed.transpose([0, 2, 1, 3]).reshape([batch, time, width]);
  x = x.add(np.matmul(joined, np.transpose(w.output!)));
  const gated = rmsNorm(x.ref, w.gain2!);
  const gate = nn.silu(np.matmul(gated.ref, np.transpose(w.gate!)));
  const up = np.matmul(gated, np.transpose(w.up!));
  x = x.add(np.matmul(gate.mul(up), np.transpose(w.down!)));
  const logits = np.matmul(rmsNorm(x, w.gain3!), np.transpose(w.embedding!));
  return crossEntropy(logits.reshape([batch * time, -1]), labels);
}

const time = 5;
const transformerWeights = {
  embedding: normal([11, 8], 1, 0.5),
  gain1: normal([8], 2),
  query: normal([8, 8], 3, 0.3),
  key: normal([8, 8], 4, 0.3),
  value: normal([8, 8], 5, 0.3),
  output: normal([8, 8], 6, 0.3),
  cosine: normal([time, 2], 7),
  sine: normal([time, 2], 8),
  gain2: normal([8], 9),
  gate: normal([12, 8], 10, 0.3),
  up: normal([12, 8], 11, 0.3),
  down: normal([8, 12], 12, 0.3),
  gain3: normal([8], 13),
};

describe('composites', () => {
  it('multilayer perceptron: loss and gradient', async () => {
    const loss = (w: Weights, x: JaxArray, y: JaxArray) => {
      const hidden = nn.relu(np.matmul(x, w.one!).add(w.bias!));
      return np.mean(np.square(np.matmul(hidden, w.two!).sub(y)));
    };
    const weights = {
      one: normal([5, 7], 1),
      bias: normal([7], 2),
      two: normal([7, 3], 3),
    };
    await expectParity(valueAndGrad(loss), [
      weights,
      normal([4, 5], 4),
      normal([4, 3], 5),
    ]);
  });

  it('softmax, log-softmax, logsumexp', async () => {
    const f = (x: JaxArray) => [
      nn.softmax(x.ref, -1),
      nn.softmax(x.ref, 0),
      nn.logSoftmax(x.ref, -1),
      nn.logsumexp(x, 1),
    ];
    await expectParity(f, [normal([3, 6], 1, 5)]);
    const g = grad((x: JaxArray, y: JaxArray) => nn.softmax(x, -1).mul(y).sum());
    await expectParity(g, [normal([3, 6], 1, 2), normal([3, 6], 2)]);
  });

  it('norms: values and gradients', async () => {
    const layer = (w: [JaxArray, JaxArray, JaxArray], y: JaxArray) =>
      layerNorm(...w)
        .mul(y)
        .sum();
    const inputs = [normal([2, 3, 6], 1), normal([6], 2), normal([6], 3)];
    await expectParity(valueAndGrad(layer), [inputs, normal([2, 3, 6], 4)]);
    const rms = (w: [JaxArray, JaxArray], y: JaxArray) =>
      rmsNorm(...w)
        .mul(y)
        .sum();
    await expectParity(valueAndGrad(rms), [inputs.slice(0, 2), normal([2, 3, 6], 4)]);
  });

  it('causal attention: value and gradient', async () => {
    const f = (w: [JaxArray, JaxArray, JaxArray], y: JaxArray) =>
      attention(...w)
        .mul(y)
        .sum();
    const shape = [2, 3, 4, 5];
    const inputs = [1, 2, 3].map((seed) => normal(shape, seed));
    await expectParity(valueAndGrad(f), [inputs, normal(shape, 4)]);
  });

  it('rotary positions: value and gradient', async () => {
    const f = (x: JaxArray, c: JaxArray, s: JaxArray, y: JaxArray) =>
      rotate(x, c, s).mul(y).sum();
    const inputs = [normal([2, 3, 4, 6], 1), normal([4, 3], 2), normal([4, 3], 3)];
    await expectParity(valueAndGrad(f), [...inputs, normal([2, 3, 4, 6], 4)]);
  });

  it('embedding: rows used twice add their gradients', async () => {
    const f = (w: JaxArray, ids: JaxArray, y: JaxArray) =>
      np.take(w, ids, 0).mul(y).sum();
    const ids = integers([4, 6], 5, 2);
    await expectParity(valueAndGrad(f), [normal([5, 3], 1), ids, normal([4, 6, 3], 3)]);
  });

  it('cross-entropy: value and gradient', async () => {
    await expectParity(valueAndGrad(crossEntropy), [
      normal([6, 9], 1, 3),
      integers([6], 9, 2),
    ]);
  });

  it('transformer: loss and every gradient', async () => {
    const inputs = [
      transformerWeights,
      integers([2, time], 11, 20),
      integers([10], 11, 21),
    ];
    await expectParity(valueAndGrad(transformerLoss), inputs, 2e-5);
  });

  it('AdamW: two moments, bias correction, decay', async () => {
    const loss = (w: Weights, x: JaxArray) =>
      np.mean(np.square(np.tanh(np.matmul(x, w.a!).add(w.b!))));
    const step = (
      state: { w: Weights; m: Weights; v: Weights },
      x: JaxArray,
      count: JaxArray,
    ) => {
      const [value, g] = valueAndGrad(loss)(keep(state.w), x);
      const m = tree.map(
        (a: JaxArray, b: JaxArray) => a.mul(0.9).add(b.mul(0.1)),
        state.m,
        keep(g),
      );
      const v = tree.map(
        (a: JaxArray, b: JaxArray) => a.mul(0.99).add(np.square(b).mul(0.01)),
        state.v,
        g,
      );
      const one = np.array(1).sub(np.power(0.9, count.ref));
      const two = np.array(1).sub(np.power(0.99, count));
      const w = tree.map(
        (a: JaxArray, b: JaxArray, c: JaxArray) => {
          const direction = b.div(one.ref).div(np.sqrt(c.div(two.ref)).add(1e-8));
          return a.ref.sub(direction.add(a.mul(0.01)).mul(0.001));
        },
        state.w,
        keep(m) as Weights,
        keep(v) as Weights,
      );
      one.dispose();
      two.dispose();
      return [{ w, m, v }, value];
    };
    const group = (seed: number, scale: number) => ({
      a: normal([4, 3], seed, scale),
      b: normal([3], seed + 1, scale),
    });
    const square = (tensors: ReturnType<typeof group>) => ({
      a: { ...tensors.a, data: tensors.a.data.map((value) => value * value) },
      b: { ...tensors.b, data: tensors.b.data.map((value) => value * value) },
    });
    const state = { w: group(1, 1), m: group(3, 0.1), v: square(group(5, 0.1)) };
    await expectParity(step, [state, normal([8, 4], 9), 3]);
  });

  it('gradients stop where they are told to', async () => {
    const f = (x: JaxArray) => np.sum(x.ref.mul(stopGradient(np.exp(x))));
    await expectParity(valueAndGrad(f), [normal([5], 1)]);
  });
});
