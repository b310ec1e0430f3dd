/** Exported ONNX decoders in ONNX Runtime, held to our own forward pass. */

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSession } from '../../array/session.ts';
import { type AnyTensor, float32, type Tensor } from '../../array/tensor.ts';
import { CancelledError, InvalidInputError } from '../../error.ts';
import { runContext } from '../../nouns/run.ts';
import { generate } from '../generate.ts';
import { type LanguageModelConfig, memoryParameters } from '../model.ts';
import {
  dequantizedModel,
  largestDifference,
  randomModel,
  referenceLogits,
  roundedModel,
} from './fixtures.ts';
import { measureDecodeSpeed, openDecoder, writeOnnx } from './index.ts';
import type { ExportableModel } from './source.ts';

const ids = Array.from({ length: 20 }, (_, index) => (index * 37 + 11) % 300);
const families = ['llama', 'mistral', 'qwen2', 'qwen3', 'gpt2'] as const;

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'assay-onnx-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function collected(tokens: AsyncIterable<number>): Promise<number[]> {
  const all: number[] = [];
  for await (const token of tokens) all.push(token);
  return all;
}

/** Logits of a decoder that reads `ids` in pieces of the given lengths. */
async function logitsInPieces(
  model: ExportableModel,
  pieces: readonly number[],
  options: Parameters<typeof openDecoder>[1] = {},
): Promise<Float32Array> {
  const decoder = await openDecoder(model, options);
  const parts: number[] = [];
  let first = 0;
  for (const length of pieces) {
    const logits = await decoder.append(ids.slice(first, first + length));
    parts.push(...logits.data);
    first += length;
  }
  expect(decoder.length).toBe(first);
  await decoder.release();
  return Float32Array.from(parts);
}

describe('float decoders', () => {
  for (const family of families) {
    for (const attention of ['fused', 'plain'] as const) {
      it(`${family} with ${attention} attention gives our logits, at once and in steps`, async () => {
        const model = await randomModel(family);
        const expected = (await referenceLogits(model, ids)).data;
        const whole = await logitsInPieces(model, [20], { attention });
        const stepped = await logitsInPieces(model, [3, 1, 1, 7, 8], { attention });
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
      const stepped = await logitsInPieces(model, [6, 1, 13]);
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
      const received = await logitsInPieces(model, [12, 1, 7], { accuracyLevel: 1 });
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
    const received = await logitsInPieces(model, [20]);
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
      const received = await logitsInPieces(model, [20], { accuracyLevel });
      expect(largestDifference(received, expected)).toBeLessThan(tolerance);
    }
  });

  it('puts inputs of linear layers on their grids', async () => {
    const float = await randomModel('llama');
    const model = await roundedModel(float, 8, 'group-symmetric', 'row');
    const name = 'model.layers.1.mlp.down_proj.weight';
    const fine = { bits: 16, scale: 1e-3, zero: 30000 };
    const coarse = { bits: 8, scale: 1e9, zero: 0 };
    const plain = await logitsInPieces(model, [20], { accuracyLevel: 1 });
    const near = await logitsInPieces({ ...model, activations: { [name]: fine } }, [20], {
      accuracyLevel: 1,
    });
    const difference = largestDifference(near, plain);
    expect(difference).toBeGreaterThan(0);
    expect(difference).toBeLessThan(1e-3);
    // A step far above every input leaves nothing of it: the layer gives zeros.
    const gone = await logitsInPieces(
      { ...model, activations: { [name]: coarse } },
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
    const zeros = await logitsInPieces(silent, [20], { accuracyLevel: 1 });
    expect(largestDifference(gone, zeros)).toBeLessThan(1e-6);
  });
});

describe('ONNX directories', () => {
  /** Decodes as transformers.js does: an empty past, then the presents fed back. */
  async function exchanged(path: string, config: LanguageModelConfig): Promise<number[]> {
    const session = await openSession(path, { threads: 1 });
    const { keyValueHeads, headSize, layers } = config;
    let past: Record<string, AnyTensor> = {};
    for (let layer = 0; layer < layers; layer++) {
      for (const part of ['key', 'value']) {
        const shape = [1, keyValueHeads, 0, headSize];
        past[`past_key_values.${layer}.${part}`] = float32(shape);
      }
    }
    const parts: number[] = [];
    for (const [first, end] of [
      [0, 9],
      [9, 10],
      [10, 20],
    ] as const) {
      const part = ids.slice(first, end);
      const outputs = await session.run({
        ...past,
        input_ids: {
          dtype: 'int64',
          shape: [1, part.length],
          data: BigInt64Array.from(part, BigInt),
        },
        attention_mask: {
          dtype: 'int64',
          shape: [1, end],
          data: new BigInt64Array(end).fill(1n),
        },
      });
      expect(outputs['present.0.key']?.shape).toEqual([1, keyValueHeads, end, headSize]);
      parts.push(...(outputs.logits as Tensor).data);
      past = Object.fromEntries(
        Object.entries(outputs)
          .filter(([name]) => name.startsWith('present.'))
          .map(([name, tensor]) => [name.replace('present', 'past_key_values'), tensor]),
      );
    }
    await session.release();
    return parts;
  }

  for (const largestFile of [2 ** 30, 0]) {
    const where = largestFile > 0 ? 'in one file' : 'with weights in a second file';
    it(`load ${where} and keep transformers.js conventions`, async () => {
      const model = await randomModel('qwen2');
      const target = join(directory, `convention-${largestFile}`);
      const labels: string[] = [];
      const report = await writeOnnx(
        model,
        target,
        {
          progress: ({ done, total, label }) => labels.push(`${done <= total} ${label}`),
        },
        { largestFile },
      );
      const written = (await readdir(target, { recursive: true })).toSorted();
      expect(report.files.map(({ name }) => name)).toEqual(
        expect.arrayContaining(written.filter((name) => name.includes('.'))),
      );
      expect(written.includes(join('onnx', 'model.onnx_data'))).toBe(largestFile === 0);
      expect(labels.length).toBeGreaterThan(20);
      expect(labels.every((label) => label.startsWith('true writing '))).toBe(true);
      const path = join(target, 'onnx', 'model.onnx');
      const received = Float32Array.from(await exchanged(path, model.config));
      const expected = (await referenceLogits(model, ids)).data;
      expect(largestDifference(received, expected)).toBeLessThan(1e-5);
    });
  }

  it('read several sequences at once', async () => {
    const model = await randomModel('llama');
    const target = join(directory, 'batch');
    await writeOnnx(model, target);
    const session = await openSession(join(target, 'onnx', 'model.onnx'));
    const empty = float32([2, 2, 0, 16]);
    const past = Object.fromEntries(
      session.inputNames
        .filter((name) => name.startsWith('past'))
        .map((name) => [name, empty]),
    );
    const rows = [...ids, ...ids.toReversed()];
    const { logits } = await session.run({
      ...past,
      input_ids: {
        dtype: 'int64',
        shape: [2, 20],
        data: BigInt64Array.from(rows, BigInt),
      },
      attention_mask: {
        dtype: 'int64',
        shape: [2, 20],
        data: new BigInt64Array(40).fill(1n),
      },
    });
    await session.release();
    const first = (await referenceLogits(model, ids)).data;
    const second = (await referenceLogits(model, ids.toReversed())).data;
    const data = (logits as Tensor).data;
    expect(largestDifference(data.subarray(0, first.length), first)).toBeLessThan(1e-5);
    expect(largestDifference(data.subarray(first.length), second)).toBeLessThan(1e-5);
  });

  it('replace nothing unasked, and leave nothing behind when stopped', async () => {
    const model = await randomModel('llama');
    const target = join(directory, 'kept');
    await writeOnnx(model, target);
    await writeFile(join(target, 'note.txt'), 'mine');
    await expect(writeOnnx(model, target)).rejects.toThrow(InvalidInputError);
    expect(await readdir(target)).toContain('note.txt');
    const stop = new AbortController();
    const context = { signal: stop.signal, progress: () => stop.abort() };
    const stopped = join(directory, 'stopped');
    await expect(writeOnnx(model, stopped, context)).rejects.toThrow(CancelledError);
    const left = (await readdir(directory)).filter((name) => name.includes('stopped'));
    expect(left).toEqual([]);
  });

  it('refuse parameters that are missing or not finite, by name', async () => {
    const model = await randomModel('llama');
    const name = 'model.layers.1.mlp.up_proj.weight';
    const rest: Record<string, Tensor> = {};
    for (const other of model.parameters.names) {
      if (other !== name) rest[other] = await model.parameters.read(other);
    }
    const without = { ...model, parameters: memoryParameters(rest) };
    await expect(writeOnnx(without, join(directory, 'missing'))).rejects.toThrow(name);
    const bad = float32([160, 64]);
    bad.data[77] = Number.NaN;
    const broken = { ...model, parameters: memoryParameters({ ...rest, [name]: bad }) };
    await expect(writeOnnx(broken, join(directory, 'nan'))).rejects.toThrow(/finite.*77/);
  });
});

describe('decoding', () => {
  it('continues greedily as our own generation does, and by chance with a seed', async () => {
    const model = await randomModel('llama', { endToken: null });
    const decoder = await openDecoder(model);
    const prompt = ids.slice(0, 5);
    const greedy = await collected(decoder.generate(prompt, { maximumTokens: 12 }));
    const context = runContext({ seed: 0 });
    const own = await collected(generate(model, prompt, context, { maximumTokens: 12 }));
    expect(greedy).toEqual(own);
    const sampled: number[][] = [];
    for (const seed of [1, 1, 2]) {
      decoder.rewind();
      const options = { maximumTokens: 12, temperature: 1, seed };
      sampled.push(await collected(decoder.generate(prompt, options)));
    }
    expect(sampled[1]).toEqual(sampled[0]);
    expect(sampled[2]).not.toEqual(sampled[0]);
    await decoder.release();
  });

  it('hands a large model over in files, and removes them', async () => {
    const model = await randomModel('llama');
    const before = (await readdir(tmpdir())).filter((name) =>
      name.startsWith('assay-dec'),
    );
    const expected = await logitsInPieces(model, [20]);
    const received = await logitsInPieces(model, [20], { largestInMemory: 0 });
    expect(received).toEqual(expected);
    const after = (await readdir(tmpdir())).filter((name) =>
      name.startsWith('assay-dec'),
    );
    expect(after).toEqual(before);
  });

  it('stops at stop tokens and at the end of the context', async () => {
    const model = await randomModel('llama', { contextLength: 10, endToken: null });
    const decoder = await openDecoder(model);
    const prompt = ids.slice(0, 4);
    const all = await collected(decoder.generate(prompt, { maximumTokens: 50 }));
    expect(all).toHaveLength(7);
    decoder.rewind();
    const options = { maximumTokens: 50, stop: [all[2]!] };
    const some = await collected(decoder.generate(prompt, options));
    expect(some).toEqual(all.slice(0, all.indexOf(all[2]!)));
    decoder.rewind();
    await expect(decoder.append(Array(11).fill(1))).rejects.toThrow('at most 10');
    await expect(decoder.append([300])).rejects.toThrow('0 to 299');
    await expect(decoder.append([])).rejects.toThrow(InvalidInputError);
    await decoder.release();
  });

  it('measures speeds of float and quantized models', async () => {
    const model = await randomModel('llama');
    const quantized = await roundedModel(model, 4, 'group-symmetric', 32);
    for (const measured of [model, quantized]) {
      const options = { promptLength: 16, steps: 8, repeats: 2, threads: 1 };
      const speed = await measureDecodeSpeed(measured, options);
      expect(speed.tokensPerSecond).toBeGreaterThan(1);
      expect(speed.prefillTokensPerSecond).toBeGreaterThan(1);
      expect(Number.isFinite(speed.tokensPerSecond)).toBe(true);
    }
    await expect(measureDecodeSpeed(model, { steps: 200 })).rejects.toThrow('128');
    await expect(measureDecodeSpeed(model, { repeats: 0 })).rejects.toThrow('repeats');
  });
});
