/** The functions a transformer block is made of, over traced arrays. */

import { nn, numpy as np } from '../../array/jax.ts';

/** An array inside a traced function: it is used up by every use but `.ref`. */
export type Traced = np.Array;

/** `x [..., in]` times `weight [out, in]`, plus `bias [out]`: `[..., out]`. */
export function linear(x: Traced, weight: Traced, bias?: Traced): Traced {
  const leading = x.shape.slice(0, -1);
  const [outFeatures = 0, inFeatures = 0] = weight.shape;
  const product = np.matmul(x.reshape([-1, inFeatures]), weight.transpose());
  const shifted = bias === undefined ? product : product.add(bias);
  return shifted.reshape([...leading, outFeatures]);
}

/** `x / sqrt(mean(x^2) + epsilon) * weight` over the last axis (arXiv 1910.07467, eq. 4). */
export function rmsNorm(x: Traced, weight: Traced, epsilon: number): Traced {
  const power = np.square(x.ref).mean(-1, { keepdims: true });
  return x.mul(np.reciprocal(np.sqrt(power.add(epsilon)))).mul(weight);
}

/** Zero mean, unit variance over the last axis, then `weight` and `bias` (arXiv 1607.06450). */
export function layerNorm(
  x: Traced,
  weight: Traced,
  bias: Traced,
  epsilon: number,
): Traced {
  const centred = x.ref.sub(x.mean(-1, { keepdims: true }));
  const variance = np.square(centred.ref).mean(-1, { keepdims: true });
  return centred
    .mul(np.reciprocal(np.sqrt(variance.add(epsilon))))
    .mul(weight)
    .add(bias);
}

/** `x * sigmoid(x)`. */
export function silu(x: Traced): Traced {
  return x.ref.mul(np.reciprocal(np.exp(x.neg()).add(1)));
}

/** GELU by the hyperbolic tangent (arXiv 1606.08415, section 2), as GPT-2 uses it. */
export function geluTanh(x: Traced): Traced {
  const cube = x.ref.mul(x.ref).mul(x.ref);
  const inner = x.ref.add(cube.mul(0.044715)).mul(Math.sqrt(2 / Math.PI));
  // 0.5 * (1 + tanh(y)) is the sigmoid of 2y.
  return x.mul(np.reciprocal(np.exp(inner.mul(-2)).add(1)));
}

/**
 * Turns each pair `(i, i + headSize / 2)` of `x [batch, heads, length, headSize]` by the
 * angles `[length, headSize / 2]` of its position.
 */
export function rotate(x: Traced, cosine: Traced, sine: Traced): Traced {
  const [first, second] = np.split(x, 2, -1) as [Traced, Traced];
  return np.concatenate(
    [
      first.ref.mul(cosine.ref).sub(second.ref.mul(sine.ref)),
      second.mul(cosine).add(first.mul(sine)),
    ],
    -1,
  );
}

/** `[batch, length, heads * headSize]` to `[batch, heads, length, headSize]`. */
export function splitHeads(x: Traced, heads: number): Traced {
  const [batch = 0, length = 0, width = 0] = x.shape;
  return x.reshape([batch, length, heads, width / heads]).transpose([0, 2, 1, 3]);
}

/** `[batch, heads, length, headSize]` to `[batch, length, heads * headSize]`. */
export function joinHeads(x: Traced): Traced {
  const [batch = 0, heads = 0, length = 0, headSize = 0] = x.shape;
  return x.transpose([0, 2, 1, 3]).reshape([batch, length, heads * headSize]);
}

/**
 * Softmax attention with grouped heads: `queries [batch, heads, length, headSize]`, keys and
 * values `[batch, keyValueHeads, keyLength, headSize]`, `mask [length, keyLength]` added to
 * the scores. Query head `h` reads key head `floor(h / (heads / keyValueHeads))`.
 */
export function attend(
  queries: Traced,
  keys: Traced,
  values: Traced,
  mask: Traced,
): Traced {
  const [batch = 0, heads = 0, length = 0, headSize = 0] = queries.shape;
  const [, groups = 0, keyLength = 0] = keys.shape;
  const grouped = queries
    .mul(1 / Math.sqrt(headSize))
    .reshape([batch, groups, (heads / groups) * length, headSize]);
  const scores = np
    .matmul(grouped, keys.transpose([0, 1, 3, 2]))
    .reshape([batch, groups, heads / groups, length, keyLength])
    .add(mask);
  const weights = nn
    .softmax(scores, -1)
    .reshape([batch, groups, (heads / groups) * length, keyLength]);
  return np.matmul(weights, values).reshape([batch, heads, length, headSize]);
}
