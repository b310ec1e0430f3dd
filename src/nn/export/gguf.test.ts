/** Exported GGUF files: what they hold when read back. */

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { float32, type Tensor } from '../../array/tensor.ts';
import { tokenizerFromJson } from '../../data/tokenizer/hugging-face.ts';
import { CancelledError, InvalidInputError } from '../../error.ts';
import { openGguf } from '../../format/gguf/index.ts';
import type { LanguageModel } from '../model.ts';
import { randomModel, roundedModel, withInputScales } from './fixtures.ts';
import { interleavedRows } from './gguf/names.ts';
import { type GgufOptions, writeGguf } from './index.ts';
import { exportSource } from './source.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'assay-gguf-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** A tokenizer whose pieces are characters, not bytes. */
const wordsJson = JSON.stringify({
  added_tokens: [],
  pre_tokenizer: { type: 'Whitespace' },
  model: { type: 'BPE', vocab: { A: 0, b: 1, 1: 2 }, merges: [] },
});

describe('what the file holds', () => {
  it('interleaves the two halves of a head', () => {
    expect([...interleavedRows(2, 6)]).toEqual([0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
  });

  for (const [bits, kind, grouping, exact, compact] of [
    [2, 'group-symmetric', 32, 'Q4_0', 'Q4_0'],
    [4, 'group-symmetric', 32, 'Q4_0', 'Q4_0'],
    [4, 'group-asymmetric', 32, 'Q5_0', 'Q4_1'],
    [5, 'group-asymmetric', 'row', 'Q8_0', 'Q5_1'],
    [6, 'group-symmetric', 'tensor', 'Q8_0', 'Q8_0'],
    [8, 'group-symmetric', 32, 'Q8_0', 'Q8_0'],
  ] as const) {
    it(`${bits} bits, ${kind}, groups ${grouping}: ${exact}, the artifact's weights to the bit`, async () => {
      const model = await roundedModel(await randomModel('llama'), bits, kind, grouping);
      const file = join(directory, 'held.gguf');
      const report = await writeGguf(model, file);
      expect(report.maximumDeviation).toBe(0);
      const read = await openGguf(file);
      const source = exportSource(model);
      for (const { name, parameter, type, note } of report.tensors) {
        if (!(parameter in model.matrices)) continue;
        expect(note).toBe('');
        expect(type).toBe(exact);
        const ours = await source.read(parameter);
        const stored = (await read.read(name)).data;
        const heads = { attn_q: 4, attn_k: 2 }[name.split('.')[2]!];
        const rows = heads ? interleavedRows(heads, 16) : null;
        const width = ours.shape[1]!;
        const same = stored.every((value, index) => {
          const row = Math.floor(index / width);
          const from = rows ? rows[row]! : row;
          return value === ours.data[from * width + (index % width)];
        });
        expect(same, name).toBe(true);
      }
      const small = await writeGguf(model, file, {}, { blocks: 'compact' });
      const types = small.tensors.filter(({ parameter }) => parameter in model.matrices);
      expect(new Set(types.map(({ type }) => type))).toEqual(new Set([compact]));
      expect(small.bytes).toBeLessThanOrEqual(report.bytes);
      // Float16 keeps 11 bits of a minimum, which is below 2^bits steps.
      const steps = Math.max(
        ...Object.values(model.matrices).flatMap(({ scales }) => [...scales]),
      );
      expect(small.maximumDeviation).toBeLessThan((steps * 2 ** bits) / 2 ** 11);
    });
  }

  it('says which matrices had to become floats, and why', async () => {
    const float = await randomModel('llama', { intermediateSize: 172 });
    const model = await roundedModel(float, 8, 'group-asymmetric', 'row');
    const first = 'model.layers.0.mlp.gate_proj.weight';
    const matrix = model.matrices[first]!;
    const far = {
      ...matrix,
      zeros: matrix.zeros.map(() => 0),
      codes: matrix.codes.map(() => 200),
    };
    const changed = { ...model, matrices: { ...model.matrices, [first]: far } };
    const file = join(directory, 'floats.gguf');
    const found = async (options: GgufOptions) => {
      const { tensors } = await writeGguf(changed, file, {}, options);
      const down = 'model.layers.0.mlp.down_proj.weight';
      return [first, down].map((name) => tensors.find((one) => one.parameter === name)!);
    };
    const [exact, down] = await found({ fallback: 'exact' });
    expect(exact?.note).toContain('signed byte');
    expect(exact?.maximumDeviation).toBe(0);
    expect(down?.note).toContain('172 inputs');
    expect(down?.type).toMatch(/^F/);
    const [halves] = await found({});
    expect(halves?.type).toBe('F16');
    const largest = 200 * Math.max(...matrix.scales);
    expect(halves?.maximumDeviation).toBeLessThanOrEqual(largest * 2 ** -11);
    // Every weight is 200 steps: its block's largest, which the new codes hit.
    const [bytes, still] = await found({ blocks: 'compact' });
    expect(bytes?.type).toBe('Q8_0');
    expect(bytes?.note).toContain('rounded to 8 bits');
    expect(bytes?.maximumDeviation).toBeLessThanOrEqual(largest * 2 ** -10);
    expect(still?.type).toBe('F16');
  });

  it('stores a matrix whose input is scaled as floats, and says so', async () => {
    const float = await randomModel('gpt2');
    const rounded = await roundedModel(float, 4, 'group-asymmetric', 32);
    const model = withInputScales(rounded);
    const file = join(directory, 'scaled.gguf');
    const { tensors } = await writeGguf(model, file);
    const read = await openGguf(file);
    const scaled = tensors.filter(({ parameter }) =>
      parameter.endsWith('mlp.c_proj.weight'),
    );
    expect(scaled).toHaveLength(model.config.layers);
    for (const { name, parameter, type, note } of scaled) {
      expect(type).toBe('F16');
      expect(note).toContain('inputs of a layer');
      const expected = (await exportSource(model).read(parameter)).data;
      const stored = (await read.read(name)).data;
      expect([...stored]).toEqual([...expected].map(Math.f16round));
    }
    const others = tensors.filter(
      ({ parameter }) =>
        parameter in model.matrices && !scaled.some((one) => one.parameter === parameter),
    );
    expect(new Set(others.map(({ type }) => type))).toEqual(new Set(['Q5_0']));
  });

  it('keeps floats exactly, in 16 bits where that loses nothing or is asked for', async () => {
    const model = await randomModel('llama');
    const name = 'model.embed_tokens.weight';
    const halves: Record<string, Tensor> = {};
    for (const parameter of model.parameters.names) {
      const { shape, data } = await model.parameters.read(parameter);
      halves[parameter] = float32(
        shape,
        data.map((value) => Math.round(value * 64) / 64),
      );
    }
    const source = { ...model.parameters, read: async (key: string) => halves[key]! };
    const rounded = { ...model, parameters: source };
    const file = join(directory, 'floats.gguf');
    const typeOf = async (of: LanguageModel, options: GgufOptions) => {
      const { tensors } = await writeGguf(of, file, {}, options);
      const { type, maximumDeviation } = tensors.find((one) => one.parameter === name)!;
      return [type, maximumDeviation] as const;
    };
    expect(await typeOf(model, {})).toEqual(['F32', 0]);
    expect(await typeOf(rounded, {})).toEqual(['F16', 0]);
    const [type, deviation] = await typeOf(model, { floats: 'F16' });
    expect(type).toBe('F16');
    expect(deviation).toBeGreaterThan(0);
    expect(deviation).toBeLessThan(2 ** -9);
  });

  it('leaves nothing when stopped, and refuses what llama.cpp has not', async () => {
    const model = await randomModel('llama');
    const stop = new AbortController();
    const context = { signal: stop.signal, progress: () => stop.abort() };
    const target = join(directory, 'stopped.gguf');
    await expect(writeGguf(model, target, context)).rejects.toThrow(CancelledError);
    const left = (await readdir(directory)).filter((name) => name.includes('stopped'));
    expect(left).toEqual([]);
    const unigram = tokenizerFromJson(wordsJson);
    await expect(writeGguf({ ...model, tokenizer: unigram }, target)).rejects.toThrow(
      InvalidInputError,
    );
  });
});
