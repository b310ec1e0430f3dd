/** Exported GGUF files: read back by us, and run by llama.cpp against our own forward pass. */

import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Llama, Token } from 'node-llama-cpp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { float32, type Tensor } from '../../array/tensor.ts';
import { tokenizerFromJson } from '../../data/tokenizer/hugging-face.ts';
import { CancelledError, InvalidInputError } from '../../error.ts';
import { openGguf } from '../../format/gguf/index.ts';
import { loadLanguageModel } from '../load.ts';
import type { LanguageModel } from '../model.ts';
import type { QuantizedModel } from '../quantized.ts';
import {
  dequantizedModel,
  randomModel,
  referenceLogits,
  roundedModel,
} from './fixtures.ts';
import { interleavedRows } from './gguf/names.ts';
import { type GgufOptions, type GgufReport, writeGguf } from './index.ts';
import { exportSource } from './source.ts';

const shared =
  process.env.ASSAY_SHARED ?? resolve(import.meta.dirname, '../../../../shared');
const stories = join(shared, 'data', 'checkpoints', 'stories260k');
const nano = resolve(import.meta.dirname, '../../../models/nano');
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
    if (value > -20) largest = Math.max(largest, Math.abs(value - other));
    if (value > -20) sum += Math.abs(value - other);
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

/** A byte-level tokenizer with a few merges, as GPT-2 writes them. */
function byteLevelJson(preTokenizer: unknown): string {
  const letters = byteLetters();
  const merges = ['t h', 'th e', 'Ġ the', 'i n', 'Ġ a', 'e r', '1 2', 'Ċ Ċ', "' s"];
  const tokens = [...letters, ...merges.map((merge) => merge.replace(' ', ''))];
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const end = { id: tokens.length, content: '<|end|>', special: true };
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  return JSON.stringify({
    version: '1.0',
    added_tokens: [{ ...end, ...flags }],
    normalizer: null,
    pre_tokenizer: preTokenizer,
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true },
    model: { type: 'BPE', vocab, merges },
  });
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

/** GPT-2's printable letter for every byte. */
function byteLetters(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable =
      (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCodePoint(printable ? byte : next++);
  });
}

const texts = [
  'The other in the theatre.',
  "it's 12 o'clock, 1212 and 3 more\n\n\tdone  here",
  'naïve café: 東京 — ½ 🙂',
  ' leading and trailing ',
];

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
    const { tensors } = await writeGguf(changed, join(directory, 'floats.gguf'));
    const notes = new Map(tensors.map((tensor) => [tensor.parameter, tensor]));
    expect(notes.get(first)?.note).toContain('signed byte');
    expect(notes.get(first)?.maximumDeviation).toBe(0);
    const down = notes.get('model.layers.0.mlp.down_proj.weight');
    expect(down?.note).toContain('172 inputs');
    expect(down?.type).toMatch(/^F/);
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
    const unigram = tokenizerFromJson(byteLevelJson({ type: 'Whitespace' }));
    await expect(writeGguf({ ...model, tokenizer: unigram }, target)).rejects.toThrow(
      InvalidInputError,
    );
  });
});

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
      const tokenizer = tokenizerFromJson(byteLevelJson(preTokenizer));
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
      const outcome = await compared(model, tokens);
      expect(outcome.report.notes).toEqual([]);
      expect(outcome.largest).toBeLessThan(1e-3);
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
