/** The engine against its peers: a bare ONNX Runtime session and jax-js's own jit, same mathematics. */

import { compile, compileLoop } from '../src/array/compile.ts';
import {
  init,
  type JaxArray,
  jit,
  keep,
  lossAndGradient,
  nn,
  numpy as np,
  tree,
  zipTrees,
} from '../src/array/jax.ts';
import { GraphBuilder } from '../src/array/onnx/index.ts';
import { createRandom } from '../src/array/random.ts';
import { openSession } from '../src/array/session.ts';
import {
  elementCount,
  float32,
  int32,
  type Shape,
  type Tensor,
} from '../src/array/tensor.ts';
import { mapTree } from '../src/array/tree.ts';
import { medianMilliseconds } from './median.ts';

const shape = { layers: 3, width: 256, hidden: 640, vocabulary: 1024, heads: 4 };
const [batch, time] = [8, 128];
const headSize = shape.width / shape.heads;

interface Block<T> {
  query: T;
  key: T;
  value: T;
  output: T;
  gate: T;
  up: T;
  down: T;
  first: T;
  second: T;
}
interface Weights<T> {
  embedding: T;
  norm: T;
  head: T;
  blocks: Block<T>[];
}
interface State<T> {
  weights: Weights<T>;
  first: Weights<T>;
  second: Weights<T>;
}
interface Batch<T> {
  tokens: T;
  labels: T;
  cosine: T;
  sine: T;
}

const random = createRandom(1);

function normal(of: Shape, scale = 0.02): Tensor {
  const data = new Float32Array(elementCount(of)).map(() => scale * random.normal());
  return float32(of, data);
}

function createWeights(): Weights<Tensor> {
  const { width, hidden, vocabulary, layers } = shape;
  return {
    embedding: normal([vocabulary, width]),
    norm: normal([width], 1),
    head: normal([vocabulary, width]),
    blocks: Array.from({ length: layers }, () => ({
      query: normal([width, width]),
      key: normal([width, width]),
      value: normal([width, width]),
      output: normal([width, width]),
      gate: normal([hidden, width]),
      up: normal([hidden, width]),
      down: normal([width, hidden]),
      first: normal([width], 1),
      second: normal([width], 1),
    })),
  };
}

const linear = (x: JaxArray, w: JaxArray) => np.matmul(x, np.transpose(w));
const split = (x: JaxArray) =>
  x.reshape([batch, time, shape.heads, headSize]).transpose([0, 2, 1, 3]);

function rmsNorm(x: JaxArray, gain: JaxArray): JaxArray {
  const square = np.mean(np.square(x.ref), -1, { keepdims: true });
  return x.mul(np.reciprocal(np.sqrt(square.add(1e-5)))).mul(gain);
}

function rotate(x: JaxArray, cosine: JaxArray, sine: JaxArray): JaxArray {
  const [a, b] = np.split(x, 2, -1) as [JaxArray, JaxArray];
  const first = a.ref.mul(cosine.ref).sub(b.ref.mul(sine.ref));
  return np.concatenate([first, b.mul(cosine).add(a.mul(sine))], -1);
}

/** The labels' log-probabilities are picked by comparison: jax-js's jit cannot scatter here. */
function loss(weights: Weights<JaxArray>, data: Batch<JaxArray>): JaxArray {
  const { cosine, sine } = data;
  let x = np.take(weights.embedding, data.tokens, 0);
  const mask = np.tri(time).astype(np.bool);
  for (const block of weights.blocks) {
    const normed = rmsNorm(x.ref, block.first);
    const query = rotate(split(linear(normed.ref, block.query)), cosine.ref, sine.ref);
    const key = rotate(split(linear(normed.ref, block.key)), cosine.ref, sine.ref);
    const value = split(linear(normed, block.value));
    const raw = np.matmul(query, np.swapaxes(key, -1, -2)).mul(1 / Math.sqrt(headSize));
    const mixed = np.matmul(nn.softmax(np.where(mask.ref, raw, -1e9), -1), value);
    const joined = mixed.transpose([0, 2, 1, 3]).reshape([batch, time, shape.width]);
    x = x.add(linear(joined, block.output));
    const inner = rmsNorm(x.ref, block.second);
    const gated = nn.silu(linear(inner.ref, block.gate)).mul(linear(inner, block.up));
    x = x.add(linear(gated, block.down));
  }
  const rows = batch * time;
  const logits = linear(rmsNorm(x, weights.norm), weights.head);
  const log = nn.logSoftmax(logits.reshape([rows, shape.vocabulary]), -1);
  const chosen = data.labels.reshape([rows, 1]).equal(np.arange(shape.vocabulary));
  return np.sum(np.where(chosen, log, 0)).mul(-1 / rows);
}

function step(
  state: State<JaxArray>,
  data: Batch<JaxArray>,
): [State<JaxArray>, JaxArray] {
  const [value, gradient] = lossAndGradient(loss)(keep(state.weights), data);
  const first = zipTrees(
    (m, g) => m!.mul(0.9).add(g!.mul(0.1)),
    state.first,
    keep(gradient),
  );
  const second = zipTrees(
    (v, g) => v!.mul(0.95).add(np.square(g!).mul(0.05)),
    state.second,
    gradient,
  );
  const weights = zipTrees(
    (w, m, v) => w!.mul(0.9999).sub(m!.mul(1e-3).div(np.sqrt(v!).add(1e-8))),
    state.weights,
    keep(first),
    keep(second),
  );
  return [{ weights, first, second }, value];
}

async function matmul(threads: number): Promise<string> {
  const size = 1024;
  const [x, y] = [normal([size, size]), normal([size, size])];
  const compiled = compile((a: JaxArray, b: JaxArray) => np.matmul(a, b), { threads });
  const graph = new GraphBuilder();
  graph.input('x', 'float32', [size, size]);
  graph.input('y', 'float32', [size, size]);
  graph.node('MatMul', ['x', 'y'], {}, { outputs: ['z'] });
  graph.output('z', 'float32', [size, size]);
  const session = await openSession(graph.encode(), { threads });
  const ours = await medianMilliseconds(() => compiled(x, y), 20);
  const bare = await medianMilliseconds(() => session.run({ x, y }), 20);
  await compiled.dispose();
  await session.release();
  const rate = (2 * size ** 3) / ours / 1e6;
  return `MatMul 1024, compiled: ${ours.toFixed(1)} ms (${rate.toFixed(0)} GFLOP/s), ${(bare / ours).toFixed(2)} of a bare session's speed`;
}

async function training(threads: number): Promise<string> {
  const ids = (of: Shape) =>
    int32(
      of,
      new Int32Array(elementCount(of)).map(() => random.integer(shape.vocabulary)),
    );
  const data = {
    tokens: ids([batch, time]),
    labels: ids([batch * time]),
    cosine: normal([time, headSize / 2], 1),
    sine: normal([time, headSize / 2], 1),
  };
  const weights = createWeights();
  const zeros = () =>
    mapTree(weights, ({ value }) => float32(value.shape), 'weights') as Weights<Tensor>;
  const state: State<Tensor> = { weights, first: zeros(), second: zeros() };

  const loop = compileLoop(step, state, { threads });
  const ours = await medianMilliseconds(() => loop.step(data), 10);
  await loop.dispose();

  await init('wasm');
  const toJax = (part: unknown) =>
    mapTree(
      part,
      ({ value }) =>
        np.array(value.data as Float32Array<ArrayBuffer>, { shape: [...value.shape] }),
      'state',
    );
  const jitted = jit(step as never) as unknown as typeof step;
  const fed = toJax(data) as Batch<JaxArray>;
  let carried = toJax(state) as State<JaxArray>;
  const once = async () => {
    const [next, value] = jitted(carried, keep(fed));
    carried = next;
    await Promise.all(
      tree.leaves(next as never).map((leaf) => (leaf as JaxArray).blockUntilReady()),
    );
    await value.data();
  };
  const peer = await medianMilliseconds(once, 3, 1);
  return `training step of a 3-layer transformer: ${ours.toFixed(0)} ms, ${(peer / ours).toFixed(1)} times the speed of jax-js's jit`;
}

/** Two threads, as on the machine the targets are stated for. */
export async function run(): Promise<string[]> {
  return [await matmul(2), await training(2)];
}
