/** The decoder of every family against a plain float64 forward pass. */

import { describe, expect, it } from 'vitest';
import { compile } from '../../array/compile.ts';
import { float32, int32, type Tensor } from '../../array/tensor.ts';
import type { LanguageModelConfig } from '../model.ts';
import { plainLogits } from '../plain-forward.ts';
import { sampleConfiguration, sampleParameters } from '../sample-models.ts';
import { attention, feedForward, type TracedRecord } from './block.ts';
import { compiledDecoder } from './compiled.ts';
import type { Traced } from './functions.ts';
import { foldGroups, linearLayers } from './linear-layers.ts';
import { apply, loss } from './model.ts';
import { blockNorms, blockPrefix, blockShapes, parameterCount } from './parameters.ts';
import { rotaryFrequencies, sequenceSurroundings } from './positions.ts';

const ids = [3, 17, 5, 39, 0, 21, 8, 8, 30, 12, 1];
const families = ['llama', 'mistral', 'qwen2', 'qwen3', 'gpt2'] as const;
const variants: readonly [string, LanguageModelConfig][] = [
  ...families.map((family): [string, LanguageModelConfig] => [
    family,
    sampleConfiguration(family),
  ]),
  ['mistral with a window of 4', sampleConfiguration('mistral', { slidingWindow: 4 })],
  [
    'llama with linear rotary scaling',
    sampleConfiguration('llama', { ropeScaling: { type: 'linear', factor: 4 } }),
  ],
  [
    'llama with llama3 rotary scaling',
    sampleConfiguration('llama', {
      headSize: 8,
      ropeScaling: {
        type: 'llama3',
        factor: 8,
        lowFrequencyFactor: 1,
        highFrequencyFactor: 4,
        originalContextLength: 64,
      },
    }),
  ],
  [
    'llama with biases and an untied head',
    sampleConfiguration('llama', {
      queryKeyValueBias: true,
      outputBias: true,
      tiedHead: false,
    }),
  ],
];

function doubles(parameters: Record<string, Tensor>): Record<string, Float64Array> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, { data }]) => [name, Float64Array.from(data)]),
  );
}

describe.each(variants)('%s', (_, config) => {
  const parameters = sampleParameters(config, 7);
  const expected = plainLogits(config, doubles(parameters), ids);
  const surroundings = sequenceSurroundings(config, ids.length);
  const input = int32([2, ids.length], Int32Array.from([...ids, ...ids.toReversed()]));

  it('has the logits of the plain computation', async () => {
    const model = compile(
      (values: TracedRecord, tokens: Traced, around: TracedRecord) =>
        apply(config, values, tokens, around),
      { threads: 1 },
    );
    const logits = await model(parameters, input, surroundings);
    expect(logits.shape).toEqual([2, ids.length, config.vocabularySize]);
    const plain = expected.flatMap((row) => [...row]);
    for (const [index, value] of plain.entries()) {
      expect(Math.abs(logits.data[index]! - value)).toBeLessThan(2e-5);
    }
    await model.dispose();
  });

  it('has the mean negative log-likelihood of the plain computation', async () => {
    const targets = [...ids.slice(1), 2];
    const lossOf = compile(
      (values: TracedRecord, tokens: Traced, wanted: Traced, around: TracedRecord) =>
        loss(config, values, tokens, wanted, around),
      { threads: 1 },
    );
    const value = await lossOf(
      parameters,
      int32([1, ids.length], Int32Array.from(ids)),
      int32([1, ids.length], Int32Array.from(targets)),
      surroundings,
    );
    const plain = expected.reduce((sum, row, position) => {
      const total = row.reduce((all, logit) => all + Math.exp(logit), 0);
      return sum + Math.log(total) - row[targets[position]!]!;
    }, 0);
    expect(value.data[0]).toBeCloseTo(plain / ids.length, 5);
    await lossOf.dispose();
  });

  it('shows taps from which the linear layers rebuild the block', async () => {
    const decoder = compiledDecoder(config, 1);
    const prefix = blockPrefix(config, 0);
    const local = Object.fromEntries(
      Object.keys(blockShapes(config)).map((name) => [name, parameters[prefix + name]!]),
    );
    const hidden = float32([1, ids.length, config.hiddenSize]);
    hidden.data.forEach((_, index) => {
      hidden.data[index] = Math.sin(index);
    });
    const plain = await decoder.block(local, hidden, surroundings);
    const result = await decoder.blockWithTaps(local, hidden, surroundings);
    expect(result.hidden.data).toEqual(plain.hidden.data);
    const layers = linearLayers(config);
    const rebuilt = Float64Array.from(hidden.data);
    for (const kind of ['output', 'down'] as const) {
      const layer = layers.find((candidate) => candidate.kind === kind)!;
      const tap = result.taps[layer.tap];
      expect(tap.shape).toEqual([1, ids.length, layer.inFeatures]);
      const weight = local[layer.name]!;
      const bias = layer.bias === null ? undefined : local[layer.bias]!;
      for (let row = 0; row < ids.length; row++) {
        for (let out = 0; out < layer.outFeatures; out++) {
          let sum = bias?.data[out] ?? 0;
          for (let column = 0; column < layer.inFeatures; column++) {
            sum +=
              weight.data[out * layer.inFeatures + column]! *
              tap.data[row * layer.inFeatures + column]!;
          }
          rebuilt[row * layer.outFeatures + out]! += sum;
        }
      }
    }
    rebuilt.forEach((value, index) => {
      expect(Math.abs(value - result.hidden.data[index]!)).toBeLessThan(1e-4);
    });
  });

  it('absorbs a scale of every foldable tap without changing the module', async () => {
    const prefix = blockPrefix(config, 1);
    const local = Object.fromEntries(
      Object.keys(blockShapes(config)).map((name) => [name, parameters[prefix + name]!]),
    );
    const decoder = compiledDecoder(config, 1);
    const hidden = float32([1, ids.length, config.hiddenSize]);
    hidden.data.forEach((_, index) => {
      hidden.data[index] = Math.cos(3 * index);
    });
    const before = (await decoder.block(local, hidden, surroundings)).hidden.data;
    for (const group of foldGroups(config)) {
      if (group.absorber === null) continue;
      const folded = { ...local };
      const change = (name: string, edit: (value: number, index: number) => number) => {
        const tensor = folded[name]!;
        folded[name] = float32(tensor.shape, tensor.data.map(edit));
      };
      const scale = (feature: number) => 1 + (feature % 5) / 2;
      for (const name of group.layers) {
        const columns = local[name]!.shape[1]!;
        change(name, (value, index) => value * scale(index % columns));
      }
      const { absorber } = group;
      const first = absorber.kind === 'linear' ? absorber.firstRow : 0;
      const columns = local[absorber.weight]!.shape[1] ?? 1;
      const divide = (value: number, row: number) =>
        row < first ? value : value / scale(row - first);
      change(absorber.weight, (value, index) =>
        divide(value, Math.floor(index / columns)),
      );
      if (absorber.bias !== null) change(absorber.bias, divide);
      const after = (await decoder.block(folded, hidden, surroundings)).hidden.data;
      after.forEach((value, index) => {
        expect(Math.abs(value - before[index]!), group.tap).toBeLessThan(1e-4);
      });
    }
  });
});

describe('the parts of a block', () => {
  it('add up to the block', async () => {
    const config = sampleConfiguration('qwen3');
    const parameters = sampleParameters(config, 1);
    const prefix = blockPrefix(config, 0);
    const local = Object.fromEntries(
      Object.keys(blockShapes(config)).map((name) => [name, parameters[prefix + name]!]),
    );
    const around = sequenceSurroundings(config, 4);
    const hidden = float32([1, 4, config.hiddenSize]).data.map((_, i) => Math.sin(2 * i));
    const input = float32([1, 4, config.hiddenSize], hidden);
    const decoder = compiledDecoder(config, 1);
    const { taps, hidden: output } = await decoder.blockWithTaps(local, input, around);
    const attend = compile((values: TracedRecord, x: Traced, s: TracedRecord) =>
      attention(config, values, x, s),
    );
    const feed = compile((values: TracedRecord, x: Traced) =>
      feedForward(config, values, x),
    );
    const attended = await attend(local, taps.attentionInput, around);
    const fed = await feed(local, taps.feedForwardInput);
    output.data.forEach((value, index) => {
      const sum = hidden[index]! + attended.data[index]! + fed.data[index]!;
      expect(Math.abs(value - sum)).toBeLessThan(1e-5);
    });
    expect(blockNorms(config).attention.weight).toBe('input_layernorm.weight');
    await attend.dispose();
    await feed.dispose();
  });
});

describe('fold groups', () => {
  it('fold the values into the output only where every head has its own', () => {
    const groupOf = (config: LanguageModelConfig) =>
      foldGroups(config).find(({ tap }) => tap === 'attended')!.absorber;
    expect(groupOf(sampleConfiguration('llama'))).toBeNull();
    expect(groupOf(sampleConfiguration('llama', { keyValueHeads: 6 }))).toMatchObject({
      weight: 'self_attn.v_proj.weight',
      firstRow: 0,
    });
    expect(groupOf(sampleConfiguration('gpt2'))).toMatchObject({
      weight: 'attn.c_attn.weight',
      firstRow: 48,
    });
    const activated = foldGroups(sampleConfiguration('gpt2')).at(-1)!;
    expect(activated).toMatchObject({ tap: 'activated', absorber: null });
  });

  it('hold every linear layer exactly once', () => {
    for (const family of families) {
      const config = sampleConfiguration(family);
      const grouped = foldGroups(config).flatMap(({ layers }) => layers);
      expect(grouped.toSorted()).toEqual(
        linearLayers(config)
          .map(({ name }) => name)
          .toSorted(),
      );
    }
  });
});

describe('sizes', () => {
  it('count the parameters of known models', () => {
    const gpt2 = sampleConfiguration('gpt2', {
      vocabularySize: 50257,
      hiddenSize: 768,
      intermediateSize: 3072,
      layers: 12,
      heads: 12,
      keyValueHeads: 12,
      headSize: 64,
      contextLength: 1024,
    });
    expect(parameterCount(gpt2)).toBe(124_439_808);
    const qwen2 = sampleConfiguration('qwen2', {
      vocabularySize: 151_936,
      hiddenSize: 896,
      intermediateSize: 4864,
      layers: 24,
      heads: 14,
      keyValueHeads: 2,
      headSize: 64,
      tiedHead: true,
    });
    expect(parameterCount(qwen2)).toBe(494_032_768);
  });

  it('halve the slowest llama3 frequencies by the factor and keep the fastest', () => {
    const config = sampleConfiguration('llama', {
      headSize: 128,
      ropeTheta: 500_000,
      ropeScaling: {
        type: 'llama3',
        factor: 8,
        lowFrequencyFactor: 1,
        highFrequencyFactor: 4,
        originalContextLength: 8192,
      },
    });
    const plain = rotaryFrequencies({ ...config, ropeScaling: null });
    const scaled = rotaryFrequencies(config);
    expect(scaled[0]).toBe(plain[0]);
    expect(scaled.at(-1)).toBeCloseTo(plain.at(-1)! / 8, 15);
  });
});
