/** The integer executor against its float twin and against ONNX Runtime. */

import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../array/onnx/index.ts';
import { affineCodes, chooseAffine } from '../../array/quantizer/affine.ts';
import { createRandom } from '../../array/random.ts';
import { openSession } from '../../array/session.ts';
import { float32, type Tensor } from '../../array/tensor.ts';
import {
  floatLinear,
  integerLinear,
  runIntegerLinear,
  simulateLinear,
} from './integer-linear.ts';
import { quantizeWeights } from './weights.ts';

const random = createRandom(12);
const normal = (rows: number, columns: number): Tensor =>
  float32([rows, columns], new Float32Array(rows * columns).map(random.normal));

function rangeOf(tensor: Tensor, bits = 8) {
  return chooseAffine(Math.min(...tensor.data), Math.max(...tensor.data), bits);
}

const base = {
  weightBits: 8,
  weightScheme: 'symmetric',
  granularity: 'per-channel',
  restrictedRange: true,
} as const;

describe.each([
  base,
  { ...base, weightScheme: 'asymmetric' },
  { ...base, granularity: 'per-layer' },
  { ...base, weightBits: 4 },
] as const)('%j', (settings) => {
  const x = normal(50, 48);
  const weight = normal(20, 48);
  const bias = normal(1, 20).data;
  const input = rangeOf(x);
  const output = rangeOf(floatLinear(x, weight, bias));
  const matrix = quantizeWeights(weight, settings, 'weight');
  const layer = integerLinear(matrix, bias, input, output);
  const codes = affineCodes(x.data, input);

  it('differs from fake quantization by at most one code, and rarely', () => {
    const integer = runIntegerLinear(layer, codes);
    const simulated = simulateLinear(layer, codes);
    let different = 0;
    for (const [index, code] of integer.entries()) {
      expect(Math.abs(code - simulated[index])).toBeLessThanOrEqual(1);
      if (code !== simulated[index]) different += 1;
    }
    // The multiply and the shift round one after the other: with the small sums of 4-bit
    // weights the first can make a tie for the second.
    const share = settings.weightBits === 8 ? 0.005 : 0.06;
    expect(different / integer.length).toBeLessThan(share);
  });

  it('is near the float layer', () => {
    const real = floatLinear(x, weight, bias).data;
    const integer = runIntegerLinear(layer, codes);
    let error = 0;
    let norm = 0;
    for (const [index, value] of real.entries()) {
      error += ((integer[index] - output.zero) * output.scale - value) ** 2;
      norm += value ** 2;
    }
    expect(Math.sqrt(error / norm)).toBeLessThan(settings.weightBits === 8 ? 0.02 : 0.15);
  });
});

it('chains two layers as the float simulation of both does', () => {
  const x = normal(30, 24);
  const first = normal(40, 24);
  const second = normal(10, 40);
  const middle = floatLinear(x, first, null);
  const input = rangeOf(x);
  const hidden = rangeOf(middle);
  const output = rangeOf(floatLinear(middle, second, null));
  const layers = [
    integerLinear(quantizeWeights(first, base, 'a'), null, input, hidden),
    integerLinear(quantizeWeights(second, base, 'b'), null, hidden, output),
  ];
  const codes = affineCodes(x.data, input);
  const integer = runIntegerLinear(layers[1], runIntegerLinear(layers[0], codes));
  const simulated = simulateLinear(layers[1], simulateLinear(layers[0], codes));
  const off = integer.filter((code, index) => Math.abs(code - simulated[index]) > 1);
  expect(off.length).toBe(0);
});

it('agrees with QLinearMatMul for a single weight scale', async () => {
  const x = normal(16, 32);
  const weight = normal(12, 32);
  const settings = {
    ...base,
    weightScheme: 'asymmetric',
    granularity: 'per-layer',
  } as const;
  const matrix = quantizeWeights(weight, settings, 'weight');
  const input = rangeOf(x);
  const output = rangeOf(floatLinear(x, weight, null));
  const codes = affineCodes(x.data, input);
  const graph = new GraphBuilder();
  graph.input('x', 'uint8', [16, 32]);
  const scalar = (value: number) =>
    graph.constant({ dtype: 'float32', shape: [], data: Float32Array.of(value) });
  const point = (value: number) =>
    graph.constant({ dtype: 'uint8', shape: [], data: Uint8Array.of(value) });
  const turned = new Uint8Array(32 * 12);
  for (let row = 0; row < 12; row++) {
    for (let column = 0; column < 32; column++) {
      turned[column * 12 + row] = matrix.codes[row * 32 + column];
    }
  }
  const y = graph.add('QLinearMatMul', [
    'x',
    scalar(input.scale),
    point(input.zero),
    graph.initializer({ dtype: 'uint8', shape: [32, 12], data: turned }),
    scalar(matrix.scales[0]),
    point(matrix.zeros[0]),
    scalar(output.scale),
    point(output.zero),
  ]);
  graph.output(y, 'uint8', [16, 12]);
  const session = await openSession(graph.encode());
  const feed = { dtype: 'uint8', shape: [16, 32], data: Uint8Array.from(codes) } as const;
  const theirs = (await session.run({ x: feed }))[y].data as Uint8Array;
  await session.release();
  const ours = runIntegerLinear(integerLinear(matrix, null, input, output), codes);
  for (const [index, code] of ours.entries()) {
    expect(Math.abs(code - theirs[index])).toBeLessThanOrEqual(1);
  }
});

it('refuses groups, whose scales cannot leave the sum', () => {
  const matrix = quantizeWeights(normal(4, 32), base, 'weight');
  const grouped = { ...matrix, groupSize: 16, scales: new Float32Array(8).fill(1) };
  const range = chooseAffine(-1, 1, 8);
  expect(() => integerLinear(grouped, null, range, range)).toThrow(
    'inside the accumulation',
  );
});
