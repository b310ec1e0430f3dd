/** What is taken of the user's texts, on a model directory written for the test. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { trainTokenizer } from '../data/tokenizer/train.ts';
import { memoryModel } from '../nn/memory-model.ts';
import type { LanguageModel } from '../nn/model.ts';
import { sampleConfiguration, sampleParameters } from '../nn/sample-models.ts';
import { saveLanguageModel } from '../nn/save.ts';
import { parseOptions } from '../nouns/options.ts';
import { runContext } from '../nouns/run.ts';
import { loadInput, quantizeInputs, takeTokens } from './load-input.ts';

const words = 'the cat sat on the mat and the dog ran to the door\n';
let root = '';
let model: LanguageModel;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'assay-load-'));
  const { tokenizer } = await trainTokenizer([words.repeat(20)], {
    vocabularySize: 280,
    specialTokens: ['<|end|>'],
  });
  const [endToken] = tokenizer.encode('<|end|>');
  const config = sampleConfiguration('llama', { vocabularySize: 300, endToken });
  model = await memoryModel(config, sampleParameters(config, 1), tokenizer);
  await saveLanguageModel(model, join(root, 'model'), {
    precision: 'float16',
    existing: 'refuse',
  });
  await writeFile(join(root, 'long.txt'), words.repeat(4000));
  await writeFile(join(root, 'short.txt'), words);
});
afterAll(() => rm(root, { recursive: true, force: true }));

function load(inputs: Record<string, unknown>) {
  const all = { model: join(root, 'model'), ...inputs };
  return loadInput(parseOptions(quantizeInputs, all), runContext());
}

it('opens a model with calibration samples and evaluation tokens', async () => {
  const input = await load({
    calibration: join(root, 'long.txt'),
    eval: join(root, 'long.txt'),
    calibrationSamples: 5,
    sequenceLength: 16,
    evalTokens: 100,
  });
  expect(input.model.config.hiddenSize).toBe(24);
  expect(input.calibrationTokens.shape).toEqual([5, 16]);
  expect(input.evaluationTokens.length).toBe(100);
  const text = model.tokenizer!.decode([
    ...input.calibrationTokens.data.subarray(16, 32),
  ]);
  expect(words.repeat(2)).toContain(text.trim());
});

it('shortens samples to the context of the model', async () => {
  const input = await load({
    calibration: join(root, 'long.txt'),
    eval: join(root, 'short.txt'),
    calibrationSamples: 2,
  });
  expect(input.calibrationTokens.shape).toEqual([2, 32]);
});

it('takes the installed text where none is given', async () => {
  const input = await load({ calibrationSamples: 3, evalTokens: 64 });
  expect(input.calibrationTokens.shape).toEqual([3, 32]);
  expect(input.evaluationTokens.length).toBe(64);
});

it('says how many tokens a calibration text must have', async () => {
  const loading = load({ calibration: join(root, 'short.txt'), calibrationSamples: 50 });
  await expect(loading).rejects.toThrow(/calibration.*at least 1600 tokens/);
});

it('names a path that is not there', async () => {
  await expect(load({ model: join(root, 'nothing') })).rejects.toThrow('nothing');
  await expect(load({ calibration: join(root, 'absent.txt') })).rejects.toThrow(
    'absent.txt',
  );
});

describe('taking tokens', () => {
  const documents = (count: number) =>
    Array.from({ length: count }, (_, index) => ({
      name: `${index}`,
      text: `${words}${String.fromCharCode(97 + index)}`,
    }));

  it('takes a short text from its beginning, with the end of each document', () => {
    const { tokenizer, config } = model;
    const expected = documents(3).flatMap(({ text }) => [
      ...tokenizer!.encode(text),
      config.endToken!,
    ]);
    expect([...takeTokens(model, documents(3), 10_000, 8)]).toEqual(expected);
    expect([...takeTokens(model, documents(3), 20, 8)].length).toBe(20);
  });

  it('spreads pieces over a long text', () => {
    const many = documents(26);
    const tokens = takeTokens(model, many, 120, 4);
    expect(tokens.length).toBe(120);
    const text = model.tokenizer!.decode([...tokens]);
    const seen = [...'abcdefghijklmnopqrstuvwxyz'].filter((letter) =>
      text.includes(`\n${letter}`),
    );
    expect(seen.some((letter) => letter < 'h')).toBe(true);
    expect(seen.some((letter) => letter > 's')).toBe(true);
  });

  it('needs a tokenizer', () => {
    const bare = { ...model, tokenizer: null };
    expect(() => takeTokens(bare, documents(1), 5, 1)).toThrow('tokenizer');
  });
});
