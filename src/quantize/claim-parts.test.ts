/** The parts that this room's claims are made of. */

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { grid } from '../array/quantizer/grid.ts';
import { lastLogits } from '../nn/generate.ts';
import { readParameters } from '../nn/memory-model.ts';
import { parseOptions } from '../nouns/options.ts';
import { runContext } from '../nouns/run.ts';
import { measureClipEffect } from './awq/clip-effect.ts';
import { claims, integerQuantization, roundToNearest } from './index.ts';
import { compareExecution } from './integer-quantization/execution.ts';
import { rescaleQueries } from './integer-quantization/rescale.ts';
import { sampleInput } from './sample.ts';
import { byteCorpus, spreadSamples, trainedSmallModel } from './small-language-model.ts';

const context = runContext();
const { input } = await sampleInput(9);

it('has a claim for each paper with methods here', () => {
  expect(claims.map((claim) => claim.paper)).toEqual(['awq', 'integer-quantization']);
  for (const claim of claims) {
    expect(claim.seeds.length).toBe(3);
    expect(claim.seconds).toBeLessThan(300);
  }
});

describe('the small model', () => {
  let home = '';
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'assay-trained-'));
    vi.stubEnv('ASSAY_HOME', home);
    vi.stubEnv('ASSAY_DATA', join(home, 'no-data'));
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(home, { recursive: true, force: true });
  });

  it('is trained once and then read from the cache, bit for bit', async () => {
    vi.stubEnv('HOME', home);
    const corpus = await byteCorpus();
    expect(corpus.dataset).toBe('installed-text');
    let steps = 0;
    const counting = runContext({
      progress: () => {
        steps += 1;
      },
    });
    const first = await trainedSmallModel(corpus, 1, 2, counting);
    expect(steps).toBeGreaterThan(0);
    steps = 0;
    const second = await trainedSmallModel(corpus, 1, 2, counting);
    expect(steps).toBe(0);
    expect(await readParameters(second)).toEqual(await readParameters(first));
    await trainedSmallModel(corpus, 2, 2, counting);
    expect((await readdir(join(home, 'cache', 'trainings'))).length).toBe(2);
  });

  it('is calibrated on samples spread over the whole text', () => {
    const stream = Int32Array.from({ length: 1000 }, (_, index) => index);
    const { shape, data } = spreadSamples(stream, 5, 10);
    expect(shape).toEqual([5, 10]);
    expect([data[0], data[49]]).toEqual([0, 999]);
  });
});

describe('rescaled queries', () => {
  it('compute the same function', async () => {
    const rescaled = await rescaleQueries(input.model, 1);
    const ids = [...input.evaluationTokens.subarray(0, 20)];
    const before = await lastLogits(input.model, ids, context);
    const after = await lastLogits(rescaled, ids, context);
    for (const [index, value] of after.entries()) {
      expect(Math.abs(value - before[index])).toBeLessThan(1e-4);
    }
  });

  it('ruin one scale for a layer and leave a scale for each channel unharmed', async () => {
    const rescaled = { ...input, model: await rescaleQueries(input.model, 1) };
    const name = 'model.layers.0.self_attn.k_proj.weight';
    const error = async (granularity: string, from: typeof input): Promise<number> => {
      const given = { bits: 8, granularity, layers: 'k_proj' };
      const options = parseOptions(roundToNearest.options, given);
      const output = await roundToNearest.run(from, options, context);
      expect(output.matrices[name]).toBeDefined();
      return output.report.weightError as number;
    };
    expect(await error('per-channel', rescaled)).toBeLessThan(0.01);
    const { matrices } = await roundToNearest.run(
      rescaled,
      parseOptions(roundToNearest.options, { bits: 8, granularity: 'per-tensor' }),
      context,
    );
    const query = matrices['model.layers.0.self_attn.q_proj.weight'];
    const zero = query.zeros[0];
    const used = query.codes.filter((code) => Math.abs(code - zero) > 2).length;
    // Seven of eight rows are left with a handful of codes.
    expect(used / query.codes.length).toBeLessThan(0.2);
  });
});

it('clips no group to its harm on the searched tokens', async () => {
  const settings = {
    grid: grid({ bits: 3, scales: 'float32' }),
    grouping: 16,
    scale: true,
    clip: true,
    gridPoints: 20,
    maxShrink: 0.5,
    sampleTokens: 24,
  };
  const effect = await measureClipEffect(input, settings, context);
  // v, o, gate, up and down of two blocks.
  expect(effect.groups).toBe(2 * (32 * 2 + 32 * 2 + 64 * 2 + 64 * 2 + 32 * 4));
  expect(effect.worseOnSearched).toBe(0);
  expect(effect.clipped).toBeGreaterThan(0);
  expect(effect.worseOnOthers).toBeLessThan(effect.groups);
});

it('executes a quantized model in integers within one code of fake quantization', async () => {
  const options = parseOptions(integerQuantization.options, {});
  const output = await integerQuantization.run(input, options, context);
  const agreement = await compareExecution(input, output, 96, context);
  expect(agreement.entries).toBe(96 * 2 * (4 * 32 + 2 * 64 + 32));
  expect(agreement.withinOne).toBe(agreement.entries);
  expect(agreement.equal / agreement.entries).toBeGreaterThan(0.98);
});
