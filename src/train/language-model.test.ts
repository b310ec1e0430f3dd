/** Training from text: a tiny model end to end, its options as fields, its vocabulary. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CancelledError } from '../error.ts';
import { loadLanguageModel } from '../nn/load.ts';
import { textPerplexity } from '../nn/perplexity.ts';
import { saveLanguageModel } from '../nn/save.ts';
import { optionFields } from '../nouns/options.ts';
import { runContext } from '../nouns/run.ts';
import { splitDocuments } from './documents.ts';
import { trainLanguageModel } from './language-model.ts';
import { trainingOptions } from './options.ts';
import { endOfText, trainVocabulary } from './vocabulary.ts';

let home = '';
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'assay-train-'));
});
afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

const nouns = ['cat', 'dog', 'fish', 'bird', 'horse'];
const verbs = ['sees', 'likes', 'follows', 'hears'];

/** Sentences of a tiny grammar, counted through so that texts differ. */
function story(first: number, sentences: number): string {
  return Array.from({ length: sentences }, (_, index) => {
    const number = first * 7 + index * 3;
    const [one, other] = [nouns[number % 5], nouns[(number * 2 + 1) % 5]];
    return `The ${one} ${verbs[number % 4]} the ${other}.`;
  }).join(' ');
}

/** Nats per token of a model that knows how often each token occurs, and nothing else. */
function unigramEntropy(ids: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  let entropy = 0;
  for (const count of counts.values()) {
    entropy -= (count / ids.length) * Math.log(count / ids.length);
  }
  return entropy;
}

const options = trainingOptions.parse({
  layers: 2,
  hidden: 32,
  heads: 4,
  kvHeads: 2,
  intermediate: 48,
  vocabulary: 300,
  context: 32,
  batch: 8,
  steps: 160,
  warmup: 10,
  learningRate: 0.02,
  evaluateEvery: 80,
  precision: 'float16',
});
const documents = {
  training: Array.from({ length: 20 }, (_, index) => story(index, 12)),
  heldOut: [story(101, 12), story(202, 12)],
};

describe('trainLanguageModel', () => {
  it('learns a grammar, is saved, loaded and measured', async () => {
    const context = runContext({ seed: 4 });
    const trained = await trainLanguageModel(options, documents, null, context);
    const { model, history } = trained;
    expect(model.config.vocabularySize).toBeLessThanOrEqual(300);
    expect(model.tokenizer!.encode(endOfText)).toEqual([model.config.endToken]);
    const directory = join(home, 'tiny');
    const { precision } = options;
    await saveLanguageModel(model, directory, { precision, existing: 'refuse' });
    const loaded = await loadLanguageModel(directory);
    const text = documents.heldOut.join(endOfText);
    const measured = await textPerplexity(loaded, text, context);
    const entropy = unigramEntropy(loaded.tokenizer!.encode(text));
    expect(measured.natsPerToken).toBeLessThan(0.6 * entropy);
    expect(history.at(-1)!.heldOutLoss).toBeLessThan(0.6 * entropy);
    expect(history[0]!.heldOutLoss).toBeGreaterThan(history.at(-1)!.heldOutLoss!);
  });

  it('refuses nothing to train on and sizes that do not fit, and stops', async () => {
    const run = (changes: object, texts = documents, signal?: AbortSignal) =>
      trainLanguageModel(
        trainingOptions.parse({ ...options, ...changes }),
        texts,
        null,
        runContext(signal ? { signal } : {}),
      );
    await expect(run({}, { training: [''], heldOut: [] })).rejects.toThrow(/documents/);
    await expect(run({ heads: 5 })).rejects.toThrow(/heads: .*even parts/);
    await expect(run({ kvHeads: 3 })).rejects.toThrow(/divisor of the 4 heads/);
    await expect(run({ warmup: 160 })).rejects.toThrow(/warmup/);
    await expect(run({}, documents, AbortSignal.abort())).rejects.toThrow(CancelledError);
  });
});

describe('the options', () => {
  it('are fields with a default and a description each', () => {
    const fields = optionFields(trainingOptions);
    expect(fields.map(({ flag }) => flag)).toContain('learning-rate');
    for (const field of fields) {
      expect(field.required, field.name).toBe(false);
      expect(field.default, field.name).not.toBeNull();
      expect(field.description, field.name).toMatch(/^[A-Z].*\.$/);
    }
    const precision = fields.find(({ name }) => name === 'precision')!;
    expect(precision.choices).toEqual(['float32', 'float16', 'bfloat16']);
  });
});

describe('trainVocabulary', () => {
  it('gives back any text and an end token of its own', async () => {
    const vocabulary = await trainVocabulary(documents.training, 280, runContext());
    const text = 'The dog – naïve 🐟 – likes {"x": 1}\n\tnothing.';
    const ids = vocabulary.tokenizer.encode(text);
    expect(vocabulary.tokenizer.decode(ids)).toBe(text);
    expect(Math.max(...ids)).toBeLessThan(vocabulary.size);
    expect(vocabulary.endToken).toBe(vocabulary.size - 1);
  });
});

describe('splitDocuments', () => {
  const named = (count: number) =>
    Array.from({ length: count }, (_, index) => ({
      name: `file-${index}.txt`,
      text: `${index}`,
    }));

  it('holds out about a tenth, by name alone', () => {
    const { training, heldOut } = splitDocuments(named(1000));
    expect(heldOut.length).toBeGreaterThan(60);
    expect(heldOut.length).toBeLessThan(140);
    expect(new Set([...training, ...heldOut]).size).toBe(1000);
    const fewer = splitDocuments(named(500));
    expect(fewer.heldOut).toEqual(heldOut.filter((text) => Number(text) < 500));
  });

  it('holds out one of a few and none of one', () => {
    expect(splitDocuments(named(2)).heldOut).toHaveLength(1);
    expect(splitDocuments(named(1)).heldOut).toHaveLength(0);
  });
});
