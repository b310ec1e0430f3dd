/** Perplexity, generation, the block walk and the outlier twin against plain computations. */

import { describe, expect, it } from 'vitest';
import { createRandom } from '../array/random.ts';
import { float32 } from '../array/tensor.ts';
import { CancelledError } from '../error.ts';
import { type RunContext, runContext } from '../nouns/run.ts';
import { type VisitedBlock, walkBlocks } from './calibrate.ts';
import { chooseToken, generate, generateText, lastLogits } from './generate.ts';
import { readParameters } from './memory-model.ts';
import type { LanguageModel } from './model.ts';
import { perplexity, slidingWindows, textPerplexity } from './perplexity.ts';
import { plainLogits } from './plain-forward.ts';
import { sampleModel } from './sample-models.ts';
import { outlierTwin } from './transform.ts';

const context = runContext({ threads: 1 });

async function plainParameters(
  model: LanguageModel,
): Promise<Record<string, ArrayLike<number>>> {
  const tensors = await readParameters(model);
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { data }]) => [name, data]),
  );
}

function randomIds(count: number, size: number): number[] {
  const random = createRandom(4);
  return Array.from({ length: count }, () => random.integer(size));
}

/** The definition, token by token: the first window that holds a token scores it. */
async function plainPerplexity(
  model: LanguageModel,
  ids: readonly number[],
  window: number,
  stride: number,
): Promise<number> {
  const parameters = await plainParameters(model);
  let sum = 0;
  for (let token = 1; token < ids.length; token++) {
    let start = 0;
    while (start + window <= token) start += stride;
    const seen = ids.slice(start, Math.min(start + window, ids.length));
    const logits = plainLogits(model.config, parameters, seen)[token - start - 1]!;
    const total = logits.reduce((all, logit) => all + Math.exp(logit), 0);
    sum += Math.log(total) - logits[ids[token]!]!;
  }
  return Math.exp(sum / (ids.length - 1));
}

describe('slidingWindows', () => {
  it('scores every token but the first once, in windows within the text', () => {
    for (const [count, window, stride] of [
      [100, 16, 8],
      [100, 16, 15],
      [17, 16, 1],
      [5, 16, 8],
      [16, 16, 8],
      [2, 2, 1],
    ] as const) {
      const scored: number[] = [];
      for (const { start, length, firstScored } of slidingWindows(
        count,
        window,
        stride,
      )) {
        expect(start + length).toBeLessThanOrEqual(count);
        expect(length).toBeLessThanOrEqual(window);
        expect(firstScored).toBeGreaterThan(start);
        for (let token = firstScored; token < start + length; token++) scored.push(token);
      }
      expect(scored).toEqual(Array.from({ length: count - 1 }, (_, index) => index + 1));
    }
  });
});

describe('perplexity', () => {
  it.each([
    ['llama', 16, 8, 3],
    ['qwen3', 10, 9, 1],
    ['gpt2', 32, 5, 8],
    ['mistral', 12, 6, 2],
  ] as const)(
    'of %s agrees with the definition to 1e-4',
    async (family, window, stride, batch) => {
      const changes = family === 'mistral' ? { slidingWindow: 5 } : {};
      const model = await sampleModel(family, 2, changes);
      const ids = randomIds(71, model.config.vocabularySize);
      const result = await perplexity(model, ids, context, { window, stride, batch });
      const expected = await plainPerplexity(model, ids, window, stride);
      expect(Math.abs(result.perplexity / expected - 1)).toBeLessThan(1e-4);
      expect(result.tokensScored).toBe(70);
    },
  );

  it('takes the context as window and half of it as stride, and counts bytes', async () => {
    const model = await sampleModel('llama', 2);
    const text = 'Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.';
    const result = await textPerplexity(model, text, context);
    expect([result.window, result.stride]).toEqual([32, 16]);
    const bytes = Buffer.byteLength(text);
    expect(result.tokensScored).toBe(bytes - 1);
    const bits = (result.natsPerToken * (bytes - 1)) / Math.LN2 / bytes;
    expect(result.bitsPerByte).toBeCloseTo(bits, 12);
    const ids = model.tokenizer!.encode(text);
    const expected = await plainPerplexity(model, ids, 32, 16);
    expect(Math.abs(result.perplexity / expected - 1)).toBeLessThan(1e-4);
  });

  it('of a text within one window needs no second', async () => {
    const model = await sampleModel('gpt2', 2);
    const ids = randomIds(9, 40);
    const result = await perplexity(model, ids, context);
    const expected = await plainPerplexity(model, ids, 32, 16);
    expect(Math.abs(result.perplexity / expected - 1)).toBeLessThan(1e-4);
  });

  it('reports progress to the end and stops when asked to', async () => {
    const model = await sampleModel('llama', 2);
    const ids = randomIds(100, 40);
    const seen: number[] = [];
    const controller = new AbortController();
    const watching: RunContext = runContext({
      threads: 1,
      progress: ({ done, total }) => seen.push(done / total),
    });
    await perplexity(model, ids, watching, { batch: 1 });
    expect(seen.at(-1)).toBe(1);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    const stopping = runContext({
      threads: 1,
      signal: controller.signal,
      progress: () => controller.abort(),
    });
    await expect(perplexity(model, ids, stopping)).rejects.toThrow(CancelledError);
  });

  it('refuses windows, strides, texts and ids that make no sense', async () => {
    const model = await sampleModel('llama', 2);
    const ids = randomIds(50, 40);
    await expect(perplexity(model, ids, context, { window: 33 })).rejects.toThrow(
      /window/,
    );
    await expect(
      perplexity(model, ids, context, { window: 8, stride: 8 }),
    ).rejects.toThrow(/stride: expected a whole number from 1 to 7/);
    await expect(perplexity(model, [3], context)).rejects.toThrow(/two tokens/);
    await expect(perplexity(model, [3, 40], context)).rejects.toThrow(/0 to 39, got 40/);
    const mute = { ...model, tokenizer: null };
    await expect(textPerplexity(mute, 'text', context)).rejects.toThrow(/tokenizer/);
  });
});

describe('generation', () => {
  it.each(['llama', 'gpt2', 'qwen3', 'mistral'] as const)(
    'of %s with cached keys takes the tokens that whole passes take',
    async (family) => {
      const changes = family === 'mistral' ? { slidingWindow: 6 } : {};
      const model = await sampleModel(family, 5, { ...changes, endToken: null });
      const parameters = await plainParameters(model);
      const ids = [4, 9, 1];
      const found: number[] = [];
      const options = { maximumTokens: 100 };
      for await (const token of generate(model, ids, context, options)) found.push(token);
      // The context of 32 holds the prompt of 3: 29 more.
      expect(found).toHaveLength(29);
      const all = [...ids, ...found];
      const rows = plainLogits(model.config, parameters, all.slice(0, -1)).slice(2);
      const random = createRandom(0);
      const greedy = rows.map((row) => chooseToken(Float32Array.from(row), 0, 1, random));
      expect(found).toEqual(greedy);
      const logits = await lastLogits(model, all.slice(0, 20), context);
      rows[17]!.forEach((value, id) => {
        expect(Math.abs(value - logits[id]!)).toBeLessThan(1e-4);
      });
    },
  );

  it('samples the same text for a seed and others for others', async () => {
    const model = await sampleModel('llama', 5);
    const options = { maximumTokens: 12, temperature: 1, topProbability: 0.9, stop: [] };
    const write = (seed: number) =>
      generateText(model, 'ab', runContext({ seed, threads: 1 }), options);
    expect(await write(1)).toBe(await write(1));
    expect(await write(1)).not.toBe(await write(2));
  });

  it('draws tokens in proportion, from the likeliest only when told to', () => {
    const logits = Float32Array.from([0.1, 0.2, 0.7], Math.log);
    const random = createRandom(8);
    const counts = [0, 0, 0];
    for (let draw = 0; draw < 20_000; draw++)
      counts[chooseToken(logits, 1, 1, random)]!++;
    [0.1, 0.2, 0.7].forEach((share, id) => {
      expect(Math.abs(counts[id]! / 20_000 - share)).toBeLessThan(0.015);
    });
    const top = new Set(
      Array.from({ length: 500 }, () => chooseToken(logits, 1, 0.8, random)),
    );
    expect(top).toEqual(new Set([1, 2]));
  });

  it('stops at a stop token and refuses a prompt that does not fit', async () => {
    const model = await sampleModel('llama', 5, { endToken: null });
    const all: number[] = [];
    for await (const token of generate(model, [1], context, { maximumTokens: 9 })) {
      all.push(token);
    }
    const stop = [all.at(-1)!];
    const short: number[] = [];
    for await (const token of generate(model, [1], context, { maximumTokens: 9, stop })) {
      short.push(token);
    }
    expect(short).toEqual(all.slice(0, all.indexOf(stop[0]!)));
    await expect(lastLogits(model, [], context)).rejects.toThrow(/1 to 32 tokens/);
    await expect(lastLogits(model, randomIds(33, 40), context)).rejects.toThrow(/got 33/);
  });
});

describe('walkBlocks', () => {
  const samples = [
    randomIds(10, 40),
    randomIds(20, 40).slice(10),
    randomIds(30, 40).slice(20),
  ];

  it('shows each block with the float hidden states, whatever was replaced', async () => {
    const model = await sampleModel('qwen2', 6);
    const blocks: VisitedBlock[] = [];
    for await (const block of walkBlocks(model, samples, context, { batch: 2 })) {
      blocks.push(block);
      block.replace({});
    }
    expect(blocks.map(({ prefix }) => prefix)).toEqual([
      'model.layers.0.',
      'model.layers.1.',
    ]);
    expect(blocks[0]!.output).toBe(blocks[1]!.input);
    expect(blocks[0]!.taps.activated.shape).toEqual([3, 10, 32]);
    const whole: VisitedBlock[] = [];
    for await (const block of walkBlocks(model, samples, context)) whole.push(block);
    for (const [layer, block] of blocks.entries()) {
      block.output.data.forEach((value, index) => {
        expect(Math.abs(value - whole[layer]!.output.data[index]!)).toBeLessThan(1e-5);
      });
    }
  });

  it('passes the hidden states of replaced parameters on when asked to', async () => {
    const model = await sampleModel('llama', 6);
    let second: VisitedBlock | undefined;
    const options = { propagate: 'replaced' } as const;
    for await (const block of walkBlocks(model, samples, context, options)) {
      second = block;
      const silent = Object.entries(block.parameters).map(
        ([name, { shape, data }]): [string, typeof block.input] => [
          name,
          /o_proj|down_proj/.test(name) ? float32(shape) : float32(shape, data),
        ],
      );
      if (block.layer === 0) block.replace(Object.fromEntries(silent));
    }
    // A block that adds nothing passes the embeddings on.
    const embedding = await model.parameters.read('model.embed_tokens.weight');
    samples.flat().forEach((id, row) => {
      const expected = embedding.data.subarray(id * 24, (id + 1) * 24);
      expect(second!.input.data.subarray(row * 24, (row + 1) * 24)).toEqual(expected);
    });
  });

  it('refuses samples of unequal length and stops when asked to', async () => {
    const model = await sampleModel('llama', 6);
    await expect(walkBlocks(model, [[1, 2], [3]], context).next()).rejects.toThrow(
      /one length, 2/,
    );
    const stopped = runContext({ signal: AbortSignal.abort() });
    await expect(walkBlocks(model, samples, stopped).next()).rejects.toThrow(
      CancelledError,
    );
  });
});

describe('outlierTwin', () => {
  it.each(['llama', 'qwen2', 'gpt2'] as const)(
    'of %s is the same function with large channels',
    async (family) => {
      const model = await sampleModel(family, 9);
      const twin = outlierTwin(model, { seed: 3 });
      const ids = randomIds(14, 40);
      const before = await lastLogits(model, ids, context);
      const after = await lastLogits(twin, ids, context);
      before.forEach((value, index) => {
        expect(Math.abs(value - after[index]!)).toBeLessThan(1e-4);
      });
      const peak = async (source: LanguageModel): Promise<number[]> => {
        for await (const { taps } of walkBlocks(source, [ids], context)) {
          const means = new Float64Array(24);
          taps.attentionInput.data.forEach((value, index) => {
            means[index % 24]! += Math.abs(value) / ids.length;
          });
          return [...means];
        }
        return [];
      };
      const [plain, planted] = [await peak(model), await peak(twin)];
      const grown = planted.filter((mean, channel) => mean > 29 * plain[channel]!);
      expect(grown).toHaveLength(2);
      expect(twin.fingerprint).not.toBe(model.fingerprint);
      expect(outlierTwin(model, { seed: 3 }).fingerprint).toBe(twin.fingerprint);
    },
  );

  it('leaves the model itself alone and refuses too many channels', async () => {
    const model = await sampleModel('llama', 9);
    const before = await readParameters(model);
    const copies = Object.values(before).map(({ data }) => data.slice());
    await readParameters(outlierTwin(model, { seed: 1 }));
    expect(Object.values(await readParameters(model)).map(({ data }) => data)).toEqual(
      copies,
    );
    expect(() => outlierTwin(model, { seed: 1, channels: 25 })).toThrow(/channels/);
  });
});
