/** ONNX directories: what is written, and that ONNX Runtime runs it as transformers.js would. */

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSession } from '../../../array/session.ts';
import { type AnyTensor, float32, type Tensor } from '../../../array/tensor.ts';
import { CancelledError, InvalidInputError } from '../../../error.ts';
import { type LanguageModelConfig, memoryParameters } from '../../model.ts';
import { largestDifference, randomModel, referenceLogits } from '../fixtures.ts';
import { writeOnnx } from '../index.ts';

const ids = Array.from({ length: 20 }, (_, index) => (index * 37 + 11) % 300);
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'assay-onnx-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

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
      const configuration = JSON.parse(
        await readFile(join(target, 'config.json'), 'utf8'),
      );
      expect(configuration.model_type).toBe('qwen2');
      expect(configuration['transformers.js_config']).toEqual(
        largestFile > 0 ? undefined : { use_external_data_format: { 'model.onnx': 1 } },
      );
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
