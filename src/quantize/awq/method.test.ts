/** AWQ on whole models: folding keeps the function, every family runs, options do what they say. */

import { describe, expect, it } from 'vitest';
import { dequantizeMatrix } from '../../array/quantizer/matrix.ts';
import { createRandom } from '../../array/random.ts';
import { float32, int32, type Tensor } from '../../array/tensor.ts';
import { foldGroups } from '../../nn/decoder/linear-layers.ts';
import { lastLogits } from '../../nn/generate.ts';
import { memoryModel, readParameters } from '../../nn/memory-model.ts';
import type { LanguageModelConfig } from '../../nn/model.ts';
import { sampleConfiguration, sampleParameters } from '../../nn/sample-models.ts';
import { outlierTwin } from '../../nn/transform.ts';
import { parseOptions } from '../../nouns/options.ts';
import { runContext } from '../../nouns/run.ts';
import { dequantizedModel } from '../dequantized.ts';
import { floatPass, tokenRows } from '../float-pass.ts';
import type { QuantizeInput } from '../input.ts';
import { roundToNearest } from '../round-to-nearest.ts';
import { sampleInput } from '../sample.ts';
import { keepSalientColumns, scaleSalientColumns } from './baselines.ts';
import { applyFolds, searchBlock } from './block-search.ts';
import { decodeChoice, encodeChoice } from './choice-file.ts';
import { dividesInput, scaleColumns } from './fold.ts';
import { inspectorFor } from './inspect.ts';
import { awq } from './method.ts';

const context = runContext();

async function familyInput(
  family: LanguageModelConfig['family'],
  changes: Partial<LanguageModelConfig> = {},
): Promise<QuantizeInput> {
  const config = sampleConfiguration(family, {
    hiddenSize: 32,
    heads: 4,
    keyValueHeads: 4,
    headSize: 8,
    ...changes,
  });
  const model = await memoryModel(config, sampleParameters(config, 3), null);
  const random = createRandom(4);
  const draw = (count: number) =>
    Int32Array.from({ length: count }, () => random.integer(config.vocabularySize));
  return {
    model,
    calibrationTokens: int32([4, 12], draw(48)),
    evaluationTokens: draw(32),
  };
}

describe.each([
  ['llama', {}],
  ['mistral', { keyValueHeads: 2, slidingWindow: 6 }],
  ['qwen2', {}],
  ['qwen3', { keyValueHeads: 2 }],
  ['gpt2', {}],
] as const)('%s %j', (family, changes) => {
  it('computes the same logits with its scales folded and nothing rounded', async () => {
    const input = await familyInput(family, changes);
    const { config } = input.model;
    const inspector = inspectorFor(config, context.threads);
    const tensors = await readParameters(input.model);
    let folds = 0;
    for await (const visit of floatPass(input, context)) {
      const search = {
        grid: {
          kind: 'group-asymmetric',
          bits: 3,
          includeZero: false,
          restrictedRange: false,
          scales: 'float32',
        },
        grouping: 8,
        scale: true,
        clip: false,
        gridPoints: 20,
        maxShrink: 0.5,
        sampleTokens: 512,
      } as const;
      const choice = await searchBlock(config, visit, search, inspector, context);
      // Larger scales than any search chooses, so that a missed fold shows.
      const forced = choice.folds.map((fold) => ({
        ...fold,
        scales: fold.scales.map((_, index) => 0.25 + (index % 5)),
      }));
      folds += forced.length;
      const folded = applyFolds(config, visit.parameters, forced);
      for (const [name, tensor] of Object.entries(folded)) {
        tensors[visit.prefix + name] = tensor;
      }
      // A layer that divides its own input: the same as dividing its columns.
      for (const group of foldGroups(config).filter(dividesInput)) {
        const { scales } = forced.find(({ tap }) => tap === group.tap)!;
        const full = visit.prefix + group.layers[0]!;
        const { shape, data } = tensors[full]!;
        tensors[full] = float32(
          shape,
          scaleColumns(
            data,
            scales.map((scale) => 1 / scale),
          ),
        );
      }
    }
    const groups = foldGroups(config).filter(
      (group) => group.absorber || dividesInput(group),
    ).length;
    expect(folds).toBe(groups * config.layers);
    const folded = await memoryModel(config, tensors, null);
    const ids = [...input.evaluationTokens.subarray(0, 10)];
    const before = await lastLogits(input.model, ids, context);
    const after = await lastLogits(folded, ids, context);
    for (const [index, value] of after.entries()) {
      expect(Math.abs(value - before[index])).toBeLessThan(
        1e-4 * Math.max(1, Math.abs(before[index])),
      );
    }
  });

  it('quantizes every linear layer, reports its choices and never loses to rounding', async () => {
    const input = await familyInput(family, changes);
    const output = await awq.run(
      input,
      parseOptions(awq.options, { bits: 3, groupSize: 8 }),
      context,
    );
    const found = output.report.scales as { alpha: number; losses: number[] }[];
    for (const { alpha, losses } of found) {
      expect(losses.length).toBe(20);
      expect(losses[Math.round(alpha * 20)]).toBeLessThanOrEqual(losses[0]);
      expect(losses[Math.round(alpha * 20)]).toBe(Math.min(...losses));
    }
    const layers = family === 'gpt2' ? 4 : 7;
    expect(Object.keys(output.matrices).length).toBe(layers * input.model.config.layers);
  });
});

const isHalf = (scale: number) => scale > 0 && Math.f16round(scale) === scale;

/** Sum of squares of `x (weight - changed)^T`. */
function outputError(x: Tensor, weight: Tensor, changed: Tensor): number {
  const [tokens, inputs] = x.shape as [number, number];
  let sum = 0;
  for (let token = 0; token < tokens; token++) {
    for (let start = 0; start < weight.data.length; start += inputs) {
      let difference = 0;
      for (let index = 0; index < inputs; index++) {
        const change = weight.data[start + index] - changed.data[start + index];
        difference += x.data[token * inputs + index] * change;
      }
      sum += difference ** 2;
    }
  }
  return sum;
}

it('divides the input of GPT-2’s layer after GELU, and so protects its outliers', async () => {
  const plain = await familyInput('gpt2');
  const { config } = plain.model;
  const tensors = await readParameters(plain.model);
  for (let block = 0; block < config.layers; block++) {
    for (const channel of [3, 17])
      tensors[`transformer.h.${block}.mlp.c_fc.bias`].data[channel] = 30;
  }
  const from = { ...plain, model: await memoryModel(config, tensors, null) };
  const options = { bits: 3, groupSize: 8, autoClip: false };
  const scaled = await run(options, from);
  const unscaled = await run({ ...options, autoScale: false }, from);
  const shares: number[] = [];
  for await (const { prefix, parameters, taps } of floatPass(from, context)) {
    const name = `${prefix}mlp.c_proj.weight`;
    const { inputScales } = scaled.matrices[name];
    expect(inputScales!.every(isHalf)).toBe(true);
    expect(unscaled.matrices[name].inputScales).toBeUndefined();
    const x = tokenRows(taps.activated);
    const weight = parameters['mlp.c_proj.weight'];
    const [withScales, without] = [scaled, unscaled].map(({ matrices }) =>
      outputError(x, weight, dequantizeMatrix(matrices[name])),
    );
    shares.push(withScales / without);
  }
  for (const share of shares) expect(share).toBeLessThan(0.5);
  expect(scaled.report).not.toHaveProperty('unscaled');
  const others = Object.entries(scaled.matrices).filter(
    ([name]) => !name.endsWith('mlp.c_proj.weight'),
  );
  expect(others.every(([, { inputScales }]) => inputScales === undefined)).toBe(true);
  const grouped = await run(options, await familyInput('llama', { keyValueHeads: 2 }));
  expect(grouped.report.unscaled).toEqual(['self_attn.o_proj.weight']);
});

const { input } = await sampleInput(2);

async function run(options: Record<string, unknown>, from = input) {
  return awq.run(from, parseOptions(awq.options, options), context);
}

it('is round-to-nearest when it searches for nothing', async () => {
  const plain = await roundToNearest.run(
    input,
    parseOptions(roundToNearest.options, { bits: 3 }),
    context,
  );
  const output = await run({ bits: 3, autoScale: false, autoClip: false });
  expect(output.matrices).toEqual(plain.matrices);
  expect(output.floats).toEqual(plain.floats);
  expect(output.report.weightError).toBe(plain.report.weightError);
});

it('changes codes with each of its options', async () => {
  const base = JSON.stringify((await run({ bits: 3 })).matrices);
  for (const option of [
    { autoScale: false },
    { autoClip: false },
    { zeroPoint: false },
    { includeZero: true, groupSize: 8 },
    { groupSize: 16 },
    { groupSize: -1 },
    { gridPoints: 3 },
    { maxShrink: 0.9, gridPoints: 4 },
    { sampleTokens: 5 },
  ]) {
    expect(JSON.stringify((await run({ bits: 3, ...option })).matrices)).not.toBe(base);
  }
});

it('names the layer whose inputs a group does not divide', async () => {
  await expect(run({ groupSize: 24 })).rejects.toThrow(
    'group 24 does not divide in_features 32',
  );
});

it('loses less than rounding on the calibration text of a model with outliers', async () => {
  const twin = { ...input, model: outlierTwin(input.model, { seed: 1 }) };
  const ids = [...input.calibrationTokens.data.subarray(0, 12)];
  const reference = await lastLogits(input.model, ids, context);
  const distance = (logits: Float32Array): number =>
    logits.reduce((sum, value, index) => sum + (value - reference[index]) ** 2, 0);
  const rounded = await roundToNearest.run(
    twin,
    parseOptions(roundToNearest.options, { bits: 3, groupSize: 32 }),
    context,
  );
  const scaled = await run({ bits: 3, groupSize: 32 }, twin);
  const loss = async (model: typeof rounded) =>
    distance(await lastLogits(dequantizedModel(model), ids, context));
  expect(await loss(scaled)).toBeLessThan(0.8 * (await loss(rounded)));
});

it('keeps its choices through a checkpoint exactly', () => {
  const choice = {
    folds: [
      {
        layers: ['a', 'b'],
        tap: 'attended',
        alpha: 0.35,
        scales: Float32Array.of(0.1, 1 / 3, 1e-4),
        losses: [1, 0.3333333432674408],
      },
    ],
    clips: { a: Float32Array.of(0.7, -0) },
  } as const;
  expect(decodeChoice(encodeChoice(choice))).toEqual(choice);
  const old = new TextEncoder().encode('{"version":0}');
  expect(() => decodeChoice(old)).toThrow('start the run anew');
  expect(() => decodeChoice(Uint8Array.of(1, 2, 3))).toThrow('start the run anew');
});

it('keeps the chosen columns of the 1 % baselines and rounds the rest', async () => {
  const baseline = { bits: 3, groupSize: 16, share: 0.1 };
  const name = 'model.layers.0.mlp.up_proj.weight';
  const original = (await input.model.parameters.read(name)).data;
  const kept: number[][] = [];
  for (const by of ['activation', 'weight', 'random'] as const) {
    const model = await keepSalientColumns(input, baseline, by, context);
    const { data } = await model.parameters.read(name);
    const columns = Array.from({ length: 32 }, (_, column) => column).filter((column) =>
      Array.from({ length: 64 }, (_, row) => row * 32 + column).every(
        (place) => data[place] === Math.f16round(original[place]),
      ),
    );
    expect(columns.length).toBe(3);
    kept.push(columns);
  }
  expect(new Set(kept.map((columns) => columns.join())).size).toBeGreaterThan(1);
  const unscaled = await scaleSalientColumns(input, baseline, 1, context);
  const rounded = await roundToNearest.run(
    input,
    parseOptions(roundToNearest.options, { bits: 3, groupSize: 16 }),
    context,
  );
  expect((await unscaled.parameters.read(name)).data).toEqual(
    (await dequantizedModel(rounded).parameters.read(name)).data,
  );
});
