/** Float and quantized decoder graphs in ONNX Runtime, held to our own forward pass. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LanguageModelConfig } from '../../model.ts';
import {
  dequantizedModel,
  largestDifference,
  logitsInPieces,
  randomModel,
  referenceLogits,
  roundedModel,
  withInputScales,
} from '../fixtures.ts';
import { writeOnnx } from '../index.ts';

const ids = Array.from({ length: 20 }, (_, index) => (index * 37 + 11) % 300);
const families = ['llama', 'mistral', 'qwen2', 'qwen3', 'gpt2'] as const;

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'assay-onnx-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('float decoders', () => {
  for (const family of families) {
    for (const attention of ['fused', 'plain'] as const) {
      it(`${family} with ${attention} attention gives our logits, at once and in steps`, async () => {
        const model = await randomModel(family);
        const expected = (await referenceLogits(model, ids)).data;
        const whole = await logitsInPieces(model, ids, [20], { attention });
        const stepped = await logitsInPieces(model, ids, [3, 1, 1, 7, 8], { attention });
        expect(largestDifference(whole, expected)).toBeLessThan(1e-5);
        expect(largestDifference(stepped, expected)).toBeLessThan(1e-5);
      });
    }
  }

  const variants: Record<string, Partial<LanguageModelConfig>> = {
    'heads of 8 elements, which the fused operator refuses': {
      headSize: 8,
      heads: 8,
      keyValueHeads: 4,
    },
    'a sliding window': { slidingWindow: 5 },
    'stretched positions': { ropeScaling: { type: 'linear', factor: 4 } },
    'a tied head': { tiedHead: true },
    'heads wider than the hidden state': { headSize: 32, heads: 4 },
  };
  for (const [name, changes] of Object.entries(variants)) {
    it(`${name}: our logits`, async () => {
      const model = await randomModel('mistral', changes);
      const expected = (await referenceLogits(model, ids)).data;
      const stepped = await logitsInPieces(model, ids, [6, 1, 13]);
      expect(largestDifference(stepped, expected)).toBeLessThan(1e-5);
    });
  }
});

describe('quantized decoders', () => {
  const cases = [
    {
      bits: 4,
      kind: 'group-symmetric',
      grouping: 32,
      operator: 'MatMulNBits',
      stored: 4,
    },
    {
      bits: 4,
      kind: 'group-asymmetric',
      grouping: 16,
      operator: 'MatMulNBits',
      stored: 4,
    },
    {
      bits: 3,
      kind: 'group-symmetric',
      grouping: 'row',
      operator: 'MatMulNBits',
      stored: 4,
    },
    {
      bits: 2,
      kind: 'group-asymmetric',
      grouping: 32,
      operator: 'MatMulNBits',
      stored: 4,
    },
    {
      bits: 5,
      kind: 'group-symmetric',
      grouping: 32,
      operator: 'MatMulNBits',
      stored: 8,
    },
    {
      bits: 8,
      kind: 'group-asymmetric',
      grouping: 'tensor',
      operator: 'MatMulNBits',
      stored: 8,
    },
    { bits: 4, kind: 'group-asymmetric', grouping: 8, operator: 'MatMul', stored: 32 },
  ] as const;
  for (const { bits, kind, grouping, operator, stored } of cases) {
    it(`${bits} bits, ${kind}, groups ${grouping}: ${operator} of ${stored} bits, the same weights`, async () => {
      const model = await roundedModel(await randomModel('llama'), bits, kind, grouping);
      const expected = (await referenceLogits(await dequantizedModel(model), ids)).data;
      const received = await logitsInPieces(model, ids, [12, 1, 7], { accuracyLevel: 1 });
      expect(largestDifference(received, expected)).toBeLessThan(1e-5);
      const target = join(directory, `quantized-${bits}-${kind}-${grouping}`);
      const report = await writeOnnx(model, target, {}, { accuracyLevel: 1 });
      const linear = report.tensors.filter((tensor) => tensor.name in model.matrices);
      expect(linear).toHaveLength(14);
      for (const tensor of linear) {
        expect([tensor.operator, tensor.bits]).toEqual([operator, stored]);
      }
    });
  }

  it('stores 2-bit codes in 2 bits where inputs are rounded to 8', async () => {
    const model = await roundedModel(
      await randomModel('llama'),
      2,
      'group-symmetric',
      32,
    );
    const report = await writeOnnx(model, join(directory, 'two-bits'));
    const linear = report.tensors.filter((tensor) => tensor.name in model.matrices);
    expect(new Set(linear.map((tensor) => tensor.bits))).toEqual(new Set([2]));
    const expected = (await referenceLogits(await dequantizedModel(model), ids)).data;
    const received = await logitsInPieces(model, ids, [20]);
    expect(largestDifference(received, expected)).toBeLessThan(0.1);
  });

  it('pads rows that blocks do not divide', async () => {
    const float = await randomModel('llama', { intermediateSize: 172 });
    const model = await roundedModel(float, 4, 'group-asymmetric', 'row');
    const expected = (await referenceLogits(await dequantizedModel(model), ids)).data;
    for (const [accuracyLevel, tolerance] of [
      [1, 1e-5],
      [4, 0.1],
    ] as const) {
      const received = await logitsInPieces(model, ids, [20], { accuracyLevel });
      expect(largestDifference(received, expected)).toBeLessThan(tolerance);
    }
  });

  it('puts inputs of linear layers on their grids', async () => {
    const float = await randomModel('llama');
    const model = await roundedModel(float, 8, 'group-symmetric', 'row');
    const name = 'model.layers.1.mlp.down_proj.weight';
    const fine = { bits: 16, scale: 1e-3, zero: 30000 };
    const coarse = { bits: 8, scale: 1e9, zero: 0 };
    const plain = await logitsInPieces(model, ids, [20], { accuracyLevel: 1 });
    const near = await logitsInPieces(
      { ...model, activations: { [name]: fine } },
      ids,
      [20],
      {
        accuracyLevel: 1,
      },
    );
    const difference = largestDifference(near, plain);
    expect(difference).toBeGreaterThan(0);
    expect(difference).toBeLessThan(1e-3);
    // A step far above every input leaves nothing of it: the layer gives zeros.
    const gone = await logitsInPieces(
      { ...model, activations: { [name]: coarse } },
      ids,
      [20],
      {
        accuracyLevel: 1,
      },
    );
    const matrix = model.matrices[name]!;
    const silent = {
      ...model,
      matrices: {
        ...model.matrices,
        [name]: { ...matrix, scales: matrix.scales.map(() => 0) },
      },
    };
    const zeros = await logitsInPieces(silent, ids, [20], { accuracyLevel: 1 });
    expect(largestDifference(gone, zeros)).toBeLessThan(1e-6);
  });
});

describe('decoders with layers that divide their input', () => {
  for (const [bits, groups, operator] of [
    [4, 32, 'MatMulNBits'],
    [3, 'row', 'MatMulNBits'],
    [4, 8, 'MatMul'],
  ] as const) {
    it(`${bits} bits in groups of ${groups}: the logits of the dequantized weights`, async () => {
      const float = await randomModel('gpt2');
      const plain = await roundedModel(float, bits, 'group-asymmetric', groups);
      const model = withInputScales(plain);
      const expected = (await referenceLogits(await dequantizedModel(model), ids)).data;
      const received = await logitsInPieces(model, ids, [6, 1, 13], { accuracyLevel: 1 });
      expect(largestDifference(received, expected)).toBeLessThan(1e-5);
      const unscaled = (await referenceLogits(await dequantizedModel(plain), ids)).data;
      expect(largestDifference(unscaled, expected)).toBeGreaterThan(0.01);
      const name = 'transformer.h.0.mlp.c_proj.weight';
      const target = join(directory, `scaled-${bits}-${groups}`);
      const { tensors } = await writeOnnx(model, target);
      expect(tensors.find((tensor) => tensor.name === name)?.operator).toBe(operator);
    });
  }
});
