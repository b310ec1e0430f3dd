/** Decoding through ONNX Runtime: continuations, limits and speeds. */

import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../../error.ts';
import { runContext } from '../../nouns/run.ts';
import { generate } from '../generate.ts';
import { logitsInPieces, randomModel, roundedModel } from './fixtures.ts';
import { measureDecodeSpeed, openDecoder } from './index.ts';

const ids = Array.from({ length: 20 }, (_, index) => (index * 37 + 11) % 300);
async function collected(tokens: AsyncIterable<number>): Promise<number[]> {
  const all: number[] = [];
  for await (const token of tokens) all.push(token);
  return all;
}

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
    const expected = await logitsInPieces(model, ids, [20]);
    const received = await logitsInPieces(model, ids, [20], { largestInMemory: 0 });
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
      const options = {
        promptLength: 16,
        steps: 8,
        repeats: 2,
        threads: 1,
        minimumSeconds: 0,
      };
      const speed = await measureDecodeSpeed(measured, options);
      expect(speed.tokensPerSecond).toBeGreaterThan(1);
      expect(speed.prefillTokensPerSecond).toBeGreaterThan(1);
      expect(Number.isFinite(speed.tokensPerSecond)).toBe(true);
    }
    await expect(measureDecodeSpeed(model, { steps: 200 })).rejects.toThrow('128');
    await expect(measureDecodeSpeed(model, { repeats: 0 })).rejects.toThrow('repeats');
  });
});
