/** Integer quantization of whole models: modes, granularities, refusals, training. */

import { describe, expect, it } from 'vitest';
import { compile } from '../../array/compile.ts';
import { fakeQuantize } from '../../array/quantizer/affine.ts';
import { float32 } from '../../array/tensor.ts';
import type { Traced } from '../../nn/decoder/functions.ts';
import { memoryModel } from '../../nn/memory-model.ts';
import { perplexity } from '../../nn/perplexity.ts';
import { sampleConfiguration, sampleParameters } from '../../nn/sample-models.ts';
import { parseOptions } from '../../nouns/options.ts';
import { memoryCheckpoint, runContext } from '../../nouns/run.ts';
import { fakeQuantizeTraced, quantizedPerplexity } from '../dequantized.ts';
import { quantizedDigest } from '../digest.ts';
import { sampleInput } from '../sample.ts';
import { integerModelBytes, integerQuantization } from './method.ts';

const context = runContext();
const { input } = await sampleInput(5);
const ids = [...input.evaluationTokens];

async function run(options: Record<string, unknown>) {
  const parsed = parseOptions(integerQuantization.options, options);
  return integerQuantization.run(input, parsed, context);
}

describe('modes', () => {
  it('round what they say', async () => {
    const layers = 14;
    const expected: [string, number, number][] = [
      ['static', layers, layers],
      ['weight-only', layers, 0],
      ['activation-only', 0, layers],
    ];
    for (const [mode, matrices, activations] of expected) {
      const output = await run({ mode });
      expect(Object.keys(output.matrices).length).toBe(matrices);
      expect(Object.keys(output.activations).length).toBe(activations);
    }
  });

  it('give layers that read one input one grid', async () => {
    const { activations } = await run({});
    const of = (name: string) => activations[`model.layers.0.${name}.weight`];
    expect(of('self_attn.k_proj')).toEqual(of('self_attn.q_proj'));
    expect(of('mlp.up_proj')).toEqual(of('mlp.gate_proj'));
    expect(of('mlp.down_proj')).not.toEqual(of('mlp.gate_proj'));
  });

  it('stay near the float model with 8-bit weights and 16-bit activations', async () => {
    const float = (await perplexity(input.model, ids, context)).perplexity;
    const output = await run({ activationBits: 16 });
    const rounded = await quantizedPerplexity(output, ids, context);
    expect(Math.abs(rounded / float - 1)).toBeLessThan(0.05);
    const coarse = await quantizedPerplexity(
      await run({ activationBits: 4 }),
      ids,
      context,
    );
    expect(Math.abs(coarse / float - 1)).toBeGreaterThan(Math.abs(rounded / float - 1));
  });

  it('keep symmetric 8-bit codes within [-127, 127] unless told otherwise', async () => {
    const { matrices } = await run({ mode: 'weight-only' });
    const codes = Object.values(matrices).flatMap((matrix) => [...matrix.codes]);
    expect(Math.min(...codes)).toBe(1);
    expect(Math.max(...codes)).toBe(255);
  });

  it('count the bytes of an integer executor', async () => {
    const { matrices } = await run({});
    const weights = Object.values(matrices).reduce(
      (sum, { codes }) => sum + codes.length,
      0,
    );
    const channels = Object.values(matrices).reduce(
      (sum, { shape }) => sum + shape[0],
      0,
    );
    expect(integerModelBytes(matrices)).toBe(weights + 8 * channels);
  });
});

it('refuses activation scales for each channel, with the reason', async () => {
  await expect(run({ activationGranularity: 'per-channel' })).rejects.toThrow(
    'activations are per-layer; per-channel would need re-scaling inside the accumulation',
  );
});

it('reports the range and the signal-to-noise ratio of every layer', async () => {
  const ratio = async (weightBits: number): Promise<number> => {
    const { report } = await run({ mode: 'weight-only', weightBits });
    const table = report.layers as Record<
      string,
      { signalToNoise: number; high: number }
    >;
    expect(Object.keys(table).length).toBe(14);
    const { high, signalToNoise } = table['model.layers.1.mlp.up_proj.weight'];
    expect(high).toBeGreaterThan(0);
    return signalToNoise;
  };
  // Each bit is worth about 6 dB.
  const difference = (await ratio(8)) - (await ratio(4));
  expect(difference).toBeGreaterThan(20);
  expect(difference).toBeLessThan(29);
});

it('warns of ranges from a single sample', async () => {
  const one = {
    ...input,
    calibrationTokens: {
      ...input.calibrationTokens,
      shape: [1, 96],
    },
  };
  const options = parseOptions(integerQuantization.options, {});
  const output = await integerQuantization.run(one, options, context);
  expect(output.report.warnings).toHaveLength(1);
  expect((await run({})).report.warnings).toEqual([]);
});

describe('training through the rounding', () => {
  const options = parseOptions(integerQuantization.options, {
    mode: 'qat',
    weightBits: 3,
    trainingSteps: 30,
    learningRate: 3e-3,
  });

  it('lowers the loss that it trains on', async () => {
    const output = await integerQuantization.run(input, options, context);
    const losses = output.report.losses as number[];
    const mean = (values: number[]) =>
      values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(losses.length).toBe(30);
    expect(mean(losses.slice(-5))).toBeLessThan(mean(losses.slice(3, 8)));
  });

  it('resumes to the same bits', async () => {
    const whole = await integerQuantization.run(input, options, context);
    const checkpoint = memoryCheckpoint();
    const controller = new AbortController();
    const stopping = runContext({
      checkpoint,
      signal: controller.signal,
      progress: ({ label }) => {
        if (label.includes('step 28')) controller.abort();
      },
    });
    await expect(integerQuantization.run(input, options, stopping)).rejects.toThrow(
      'cancelled',
    );
    const resumed = await integerQuantization.run(
      input,
      options,
      runContext({ checkpoint }),
    );
    expect(quantizedDigest(resumed)).toBe(quantizedDigest(whole));
  });
});

it('puts traced activations on the same grid as the host', async () => {
  const values = new Float32Array(400).map((_, index) => (index - 200) / 37);
  const range = { scale: Math.fround(0.031), zero: 97, highest: 255 };
  const run = compile((x: Traced, scale: Traced, zero: Traced, highest: Traced) =>
    fakeQuantizeTraced(x, { scale, zero, highest }),
  );
  const traced = await run(
    float32([400], values),
    range.scale,
    range.zero,
    range.highest,
  );
  await run.dispose();
  const host = fakeQuantize(values, { ...range, lowest: 0 });
  for (const [index, value] of traced.data.entries()) {
    expect(Math.abs(value - host[index])).toBeLessThan(1e-5);
  }
});

it.each(['mistral', 'qwen2', 'qwen3', 'gpt2'] as const)(
  'runs and trains on %s',
  async (family) => {
    const config = sampleConfiguration(family, { vocabularySize: 64 });
    const model = await memoryModel(config, sampleParameters(config, 6), null);
    const float = (await perplexity(model, ids, context)).perplexity;
    for (const given of [{ activationBits: 16 }, { mode: 'qat', trainingSteps: 2 }]) {
      const options = parseOptions(integerQuantization.options, given);
      const output = await integerQuantization.run({ ...input, model }, options, context);
      const measured = await quantizedPerplexity(output, ids, context);
      expect(Math.abs(measured / float - 1)).toBeLessThan(0.25);
      expect(Object.keys(output.activations)).toEqual(Object.keys(output.matrices));
    }
  },
);
