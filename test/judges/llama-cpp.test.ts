/** Exported GGUF files run by llama.cpp, held to our own forward pass. */

import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Llama, Token } from 'node-llama-cpp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { float32, type Tensor } from '../../src/array/tensor.ts';
import {
  byteCharacters,
  byteLevelTokenizerJson,
} from '../../src/data/tokenizer/byte-level.ts';
import { tokenizerFromJson } from '../../src/data/tokenizer/hugging-face.ts';
import type { Tokenizer } from '../../src/data/tokenizer.ts';
import {
  dequantizedModel,
  randomModel,
  referenceLogits,
  roundedModel,
} from '../../src/nn/export/fixtures.ts';
import {
  type GgufOptions,
  type GgufReport,
  writeGguf,
} from '../../src/nn/export/index.ts';
import { loadLanguageModel } from '../../src/nn/load.ts';
import type { LanguageModel } from '../../src/nn/model.ts';
import type { QuantizedModel } from '../../src/nn/quantized.ts';

const shared =
  process.env.ASSAY_SHARED ?? resolve(import.meta.dirname, '../../../shared');
const stories = join(shared, 'data', 'checkpoints', 'stories260k');
const nano = resolve(import.meta.dirname, '../../models/nano');
const ids = Array.from({ length: 24 }, (_, index) => (index * 37 + 11) % 300);

/** llama.cpp on the CPU, or why it cannot be loaded here. Nothing is downloaded or built. */
async function loadLlama(): Promise<Llama | string> {
  try {
    const { getLlama, LlamaLogLevel } = await import('node-llama-cpp');
    return await getLlama({
      gpu: false,
      build: 'never',
      skipDownload: true,
      progressLogs: false,
      logLevel: LlamaLogLevel.disabled,
    });
  } catch (error) {
    return error instanceof Error ? error.message.split('\n')[0]! : String(error);
  }
}

const loaded = await loadLlama();
const llama = typeof loaded === 'string' ? null : loaded;
const reason = llama ? '' : ` (llama.cpp does not load here: ${loaded})`;

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'assay-gguf-'));
});
afterAll(async () => {
  await llama?.dispose();
  await rm(directory, { recursive: true, force: true });
});

interface Outcome {
  readonly report: GgufReport;
  /** Of log-probabilities, over all positions and tokens. */
  readonly largest: number;
  readonly mean: number;
  /** Of probabilities. */
  readonly largestProbability: number;
  /** Share of positions with the same likeliest token. */
  readonly agreement: number;
}

/** Writes the model, runs the file in llama.cpp and holds its probabilities to ours. */
async function compared(
  model: LanguageModel | QuantizedModel,
  tokens: readonly number[],
  options: GgufOptions = {},
): Promise<Outcome> {
  const file = join(directory, 'compared.gguf');
  const report = await writeGguf(model, file, {}, options);
  const float = 'matrices' in model ? await dequantizedModel(model) : model;
  const expected = logProbabilities(await referenceLogits(float, tokens));
  const received = await llamaLogProbabilities(file, tokens, model.config.vocabularySize);
  return { report, ...difference(received, expected) };
}

async function llamaLogProbabilities(
  file: string,
  tokens: readonly number[],
  vocabularySize: number,
): Promise<Tensor> {
  const model = await llama!.loadModel({ modelPath: file });
  const context = await model.createContext({
    contextSize: 256,
    threads: 2,
    flashAttention: false,
    // Halves would hide how close the weights are.
    experimentalKvCacheKeyType: 'F32',
    experimentalKvCacheValueType: 'F32',
  });
  const outputs = await context
    .getSequence()
    .controlledEvaluate(
      tokens.map((token) => [token as Token, { generateNext: { probabilities: true } }]),
    );
  const result = float32([tokens.length, vocabularySize]);
  outputs.forEach((output, position) => {
    for (const [token, probability] of output!.next.probabilities!) {
      result.data[position * vocabularySize + token] = Math.log(probability);
    }
  });
  await context.dispose();
  await model.dispose();
  return result;
}

function logProbabilities(logits: Tensor): Tensor {
  const [rows = 0, columns = 0] = logits.shape;
  const result = float32(logits.shape);
  for (let row = 0; row < rows; row++) {
    const values = logits.data.subarray(row * columns, (row + 1) * columns);
    const highest = values.reduce((a, b) => Math.max(a, b));
    const sum = values.reduce((total, value) => total + Math.exp(value - highest), 0);
    const shift = highest + Math.log(sum);
    result.data.set(
      values.map((value) => value - shift),
      row * columns,
    );
  }
  return result;
}

function difference(received: Tensor, expected: Tensor): Omit<Outcome, 'report'> {
  const [rows = 0, columns = 0] = expected.shape;
  let largest = 0;
  let sum = 0;
  let largestProbability = 0;
  expected.data.forEach((value, index) => {
    const other = received.data[index]!;
    // Probabilities below what float32 shows near 1 have no digits left to compare.
    const distance = value > -20 ? Math.abs(value - other) : 0;
    largest = Math.max(largest, distance);
    sum += distance;
    const apart = Math.abs(Math.exp(value) - Math.exp(other));
    largestProbability = Math.max(largestProbability, apart);
  });
  let same = 0;
  for (let row = 0; row < rows; row++) {
    if (likeliest(received, row) === likeliest(expected, row)) same++;
  }
  return {
    largest,
    mean: sum / (rows * columns),
    largestProbability,
    agreement: same / rows,
  };
}

function likeliest({ data, shape }: Tensor, row: number): number {
  const columns = shape[1]!;
  const values = data.subarray(row * columns, (row + 1) * columns);
  return values.indexOf(values.reduce((a, b) => Math.max(a, b)));
}

/** A byte-level tokenizer with a few merges and the given first cut of texts. */
function smallTokenizer(preTokenizer: unknown): Tokenizer {
  const merges = ['t h', 'th e', 'Ġ the', 'i n', 'Ġ a', 'e r', '1 2', 'Ċ Ċ', "' s"];
  const json = byteLevelTokenizerJson({
    tokens: [...byteCharacters, ...merges.map((merge) => merge.replace(' ', ''))],
    merges: merges.map((merge) => merge.split(' ') as [string, string]),
    specialTokens: [{ id: 265, content: '<|end|>' }],
  });
  const definition = { ...JSON.parse(json), pre_tokenizer: preTokenizer };
  return tokenizerFromJson(JSON.stringify(definition));
}

/** The first cut of LLaMA 3 and Qwen2, which differ in how many digits stay together. */
function splitBy(digits: string): unknown {
  const contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
  const Regex = `${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
  return {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false },
      {
        type: 'ByteLevel',
        add_prefix_space: false,
        trim_offsets: true,
        use_regex: false,
      },
    ],
  };
}

const texts = [
  'The other in the theatre.',
  "it's 12 o'clock, 1212 and 3 more\n\n\tdone  here",
  'naïve café: 東京 — ½ 🙂',
  ' leading and trailing ',
];

describe(`llama.cpp${reason}`, () => {
  const run = it.skipIf(!llama);

  for (const family of ['llama', 'mistral', 'qwen2', 'qwen3', 'gpt2'] as const) {
    run(`${family}: our probabilities from float weights`, async () => {
      const { largest, agreement } = await compared(await randomModel(family), ids);
      // llama.cpp looks GELU up in a table of halves.
      expect(largest).toBeLessThan(family === 'gpt2' ? 5e-3 : 1e-4);
      expect(agreement).toBe(1);
    });
  }

  run('stretched positions and biases of attention', async () => {
    const scaled = await randomModel('llama', {
      ropeScaling: {
        type: 'llama3',
        factor: 8,
        lowFrequencyFactor: 1,
        highFrequencyFactor: 4,
        originalContextLength: 32,
      },
      queryKeyValueBias: true,
      outputBias: true,
    });
    expect((await compared(scaled, ids)).largest).toBeLessThan(1e-4);
    const linear = await randomModel('qwen2', {
      ropeScaling: { type: 'linear', factor: 4 },
      tiedHead: true,
    });
    expect((await compared(linear, ids)).largest).toBeLessThan(1e-4);
  });

  for (const family of ['llama', 'gpt2'] as const) {
    for (const [bits, kind] of [
      [4, 'group-symmetric'],
      [4, 'group-asymmetric'],
      [8, 'group-symmetric'],
    ] as const) {
      run(
        `${family}, ${bits} bits, ${kind}: close probabilities from codes`,
        async () => {
          const model = await roundedModel(await randomModel(family), bits, kind, 32);
          const outcome = await compared(model, ids);
          // llama.cpp rounds the inputs of these products to 8 bits.
          expect(outcome.mean).toBeLessThan(0.05);
          expect(outcome.largestProbability).toBeLessThan(0.05);
          expect(outcome.agreement).toBeGreaterThanOrEqual(0.75);
          const floats = await compared(await dequantizedModel(model), ids);
          expect(floats.largest).toBeLessThan(family === 'gpt2' ? 5e-3 : 1e-4);
        },
      );
    }
  }

  for (const [name, preTokenizer] of [
    ['GPT-2', { type: 'ByteLevel', add_prefix_space: false, use_regex: true }],
    [
      'single digits',
      {
        type: 'Sequence',
        pretokenizers: [
          { type: 'Digits', individual_digits: true },
          { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
        ],
      },
    ],
    ['LLaMA 3', splitBy('\\p{N}{1,3}')],
    ['Qwen2', splitBy('\\p{N}')],
  ] as const) {
    run(`cuts texts as our tokenizer does: ${name}`, async () => {
      const tokenizer = smallTokenizer(preTokenizer);
      const model = await randomModel('llama', { endToken: 265 });
      const file = join(directory, 'tokenizer.gguf');
      const report = await writeGguf({ ...model, tokenizer }, file);
      expect(report.tokenizer).toBe('gpt2');
      expect(report.notes).toHaveLength(name === 'LLaMA 3' ? 1 : 0);
      const theirs = await llama!.loadModel({ modelPath: file });
      for (const text of texts) {
        expect(theirs.tokenize(text)).toEqual(tokenizer.encode(text));
      }
      expect(theirs.tokenize('a<|end|>', true)).toEqual([97, 265]);
      expect(theirs.tokens.eos).toBe(265);
      await theirs.dispose();
    });
  }

  const story = 'Once upon a time, there was a little girl named Lily.';

  it.skipIf(!llama || !existsSync(stories))(
    'stories260k: tokens, probabilities and packed weights (needs ../shared)',
    async () => {
      const model = await loadLanguageModel(stories);
      const tokens = [1, ...model.tokenizer!.encode(story)];
      const outcome = await compared(model, tokens);
      expect(outcome.report.tokenizer).toBe('llama');
      expect(outcome.largest).toBeLessThan(1e-3);
      const theirs = await llama!.loadModel({
        modelPath: join(directory, 'compared.gguf'),
      });
      for (const text of [story, ...texts]) {
        expect(theirs.tokenize(text)).toEqual(model.tokenizer!.encode(text));
      }
      expect(theirs.tokens.bos).toBe(1);
      expect(theirs.tokens.shouldPrependBosToken).toBe(true);
      await theirs.dispose();
      const packed = await compared(
        await roundedModel(model, 4, 'group-symmetric', 'row'),
        tokens,
      );
      expect(packed.agreement).toBeGreaterThanOrEqual(0.8);
      expect(packed.mean).toBeLessThan(0.1);
    },
  );

  it.skipIf(!llama || !existsSync(nano))(
    'models/nano: tokens, probabilities and packed weights (needs models/nano)',
    async () => {
      const model = await loadLanguageModel(nano);
      const text = 'export function compare(left: number, right: number): boolean {';
      const tokens = model.tokenizer!.encode(text);
      const outcome = await compared(model, tokens, { floats: 'F32' });
      expect(outcome.report.notes).toEqual([]);
      expect(outcome.largest).toBeLessThan(1e-3);
      // With halves as weights llama.cpp rounds the inputs of products to halves too.
      const halves = await compared(model, tokens);
      expect(halves.report.maximumDeviation).toBe(0);
      expect(halves.largest).toBeLessThan(0.05);
      const theirs = await llama!.loadModel({
        modelPath: join(directory, 'compared.gguf'),
      });
      for (const one of [text, ...texts]) {
        expect(theirs.tokenize(one)).toEqual(model.tokenizer!.encode(one));
      }
      await theirs.dispose();
      const packed = await compared(
        await roundedModel(model, 4, 'group-symmetric', 32),
        tokens,
      );
      expect(packed.agreement).toBeGreaterThanOrEqual(0.8);
      expect(packed.mean).toBeLessThan(0.1);
    },
  );
});
