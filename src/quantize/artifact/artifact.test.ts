/** Artifacts on disk: what is read is what was written, in every layout; bad files are refused. */

import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memoryModel } from '../../nn/memory-model.ts';
import type { QuantizedModel } from '../../nn/quantized.ts';
import { sampleConfiguration, sampleParameters } from '../../nn/sample-models.ts';
import { parseOptions } from '../../nouns/options.ts';
import { runContext } from '../../nouns/run.ts';
import { integerQuantization, methods, roundToNearest, task } from '../index.ts';
import { tensorBytes } from './layout.ts';

const context = runContext();
const { input } = await task.sample(4);
let root = '';
let count = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'assay-artifact-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

function fresh(): string {
  count += 1;
  return join(root, `artifact-${count}`);
}

function recipe(method: string, options: Record<string, unknown>) {
  return {
    task: 'quantize',
    method,
    options,
    inputs: { model: 'sample' },
    hashes: { model: input.model.fingerprint },
    seed: 0,
    version: '0.0.0',
  };
}

async function make(
  name: string,
  given: Record<string, unknown>,
  from = input,
): Promise<QuantizedModel> {
  const method = methods.find((each) => each.name === name)!;
  return method.run(from, parseOptions(method.options, given), context);
}

const cases: [string, Record<string, unknown>][] = [
  ['round-to-nearest', { bits: 4 }],
  ['round-to-nearest', { bits: 3, scheme: 'symmetric' }],
  ['round-to-nearest', { bits: 5, granularity: 'per-channel' }],
  ['round-to-nearest', { bits: 8, granularity: 'per-tensor' }],
  ['round-to-nearest', { bits: 2, layers: 'mlp' }],
  ['integer-quantization', {}],
  ['integer-quantization', { weightScheme: 'asymmetric', granularity: 'per-layer' }],
  ['integer-quantization', { mode: 'activation-only', activationBits: 16 }],
  ['integer-quantization', { mode: 'weight-only', weightBits: 4 }],
  ['awq', { bits: 4 }],
  ['awq', { bits: 3 }],
];

describe.each(cases)('%s %j', (name, options) => {
  it('comes back with the same codes, scales, zeros and floats', async () => {
    const model = await make(name, options);
    const directory = fresh();
    const files = await task.write(
      model,
      directory,
      recipe(name, options),
      ['safetensors'],
      context,
    );
    for (const expected of [
      'model.safetensors',
      'config.json',
      'recipe.json',
      'README.md',
    ]) {
      expect(files).toContain(expected);
    }
    expect(task.digest(await task.read(directory))).toBe(task.digest(model));
    const { size } = await stat(join(directory, 'model.safetensors'));
    // The header is all that is stored beside the tensors.
    expect(size - tensorBytes(model)).toBeGreaterThan(0);
    expect(size - tensorBytes(model)).toBeLessThan(12_000);
  });
});

it('says in its configuration what GPTQ loaders look for', async () => {
  const model = await make('round-to-nearest', { bits: 4 });
  const directory = fresh();
  await task.write(
    model,
    directory,
    recipe('round-to-nearest', {}),
    ['safetensors'],
    context,
  );
  const config = JSON.parse(await readFile(join(directory, 'config.json'), 'utf8'));
  expect(config.quantization_config).toMatchObject({
    quant_method: 'gptq',
    bits: 4,
    group_size: 32,
    desc_act: false,
    sym: false,
  });
  expect(config.model_type).toBe('llama');
});

it('writes the AWQ layout, ONNX and GGUF beside it when asked', async () => {
  const model = await make('awq', { bits: 4 });
  const directory = fresh();
  const files = await task.write(
    model,
    directory,
    recipe('awq', {}),
    ['safetensors', 'awq', 'onnx', 'gguf'],
    context,
  );
  expect(files).toContain(join('awq', 'model.safetensors'));
  expect(files).toContain(join('onnx-model', 'onnx', 'model.onnx'));
  expect(files).toContain('model.gguf');
  for (const name of files)
    expect((await stat(join(directory, name))).size).toBeGreaterThan(0);
  expect(task.digest(await task.read(join(directory, 'awq')))).toBe(task.digest(model));
});

it('refuses the AWQ layout for 3 bits and an existing directory, and leaves nothing', async () => {
  const model = await make('awq', { bits: 3 });
  const directory = fresh();
  await expect(
    task.write(model, directory, recipe('awq', {}), ['safetensors', 'awq'], context),
  ).rejects.toThrow('4 bits');
  await expect(stat(directory)).rejects.toThrow();
  await task.write(model, directory, recipe('awq', {}), ['safetensors'], context);
  await expect(
    task.write(model, directory, recipe('awq', {}), ['safetensors'], context),
  ).rejects.toThrow(directory);
});

it('keeps GPT-2 weights the way its files hold them', async () => {
  const config = sampleConfiguration('gpt2', { vocabularySize: 64 });
  const model = await memoryModel(config, sampleParameters(config, 2), null);
  const options = parseOptions(integerQuantization.options, { mode: 'activation-only' });
  const output = await integerQuantization.run({ ...input, model }, options, context);
  const directory = fresh();
  await task.write(
    output,
    directory,
    recipe('integer-quantization', {}),
    ['safetensors'],
    context,
  );
  expect(task.digest(await task.read(directory))).toBe(task.digest(output));
  const rounded = await roundToNearest.run(
    { ...input, model },
    parseOptions(roundToNearest.options, { layers: 'mlp' }),
    context,
  );
  const other = fresh();
  await task.write(
    rounded,
    other,
    recipe('round-to-nearest', {}),
    ['safetensors'],
    context,
  );
  expect(task.digest(await task.read(other))).toBe(task.digest(rounded));
});

it('keeps the scales of inputs in its own layout, and says why not in another’s', async () => {
  const config = sampleConfiguration('gpt2', {
    vocabularySize: 64,
    hiddenSize: 32,
    heads: 8,
    keyValueHeads: 8,
    intermediateSize: 64,
  });
  const model = await memoryModel(config, sampleParameters(config, 2), null);
  const output = await make('awq', { bits: 4 }, { ...input, model });
  const name = 'transformer.h.0.mlp.c_proj.weight';
  expect(output.matrices[name]!.inputScales).toHaveLength(64);
  const directory = fresh();
  const written = recipe('awq', {});
  const files = await task.write(
    output,
    directory,
    written,
    ['safetensors', 'onnx', 'gguf'],
    context,
  );
  expect(files).toContain('model.gguf');
  const back = await task.read(directory);
  expect(back.matrices).toEqual(output.matrices);
  expect(task.digest(back)).toBe(task.digest(output));
  const { inputScales: _, ...without } = output.matrices[name]!;
  const other = { ...output, matrices: { ...output.matrices, [name]: without } };
  expect(task.digest(other)).not.toBe(task.digest(output));
  const obstacle = 'divide their input';
  expect(await readFile(join(directory, 'README.md'), 'utf8')).toContain(obstacle);
  const configuration = await readFile(join(directory, 'config.json'), 'utf8');
  expect(JSON.parse(configuration)).not.toHaveProperty('quantization_config');
  expect(JSON.parse(configuration).assay.matrices[name].inputScales).toBe(true);
  await expect(
    task.write(output, fresh(), written, ['safetensors', 'awq'], context),
  ).rejects.toThrow(obstacle);
  const path = join(directory, 'config.json');
  const wrong = configuration.replaceAll('"inputScales": false', '"inputScales": true');
  await writeFile(path, wrong);
  await expect(task.read(directory)).rejects.toThrow('act_scales');
});

it('names the file and field of a damaged artifact', async () => {
  const model = await make('round-to-nearest', { bits: 8, granularity: 'per-tensor' });
  const directory = fresh();
  await task.write(
    model,
    directory,
    recipe('round-to-nearest', {}),
    ['safetensors'],
    context,
  );
  const path = join(directory, 'config.json');
  const text = await readFile(path, 'utf8');
  const config = JSON.parse(text);
  const name = 'model.layers.0.mlp.up_proj.weight';
  const damage = async (change: (copy: typeof config) => void): Promise<void> => {
    const copy = structuredClone(config);
    change(copy);
    await writeFile(path, JSON.stringify(copy));
  };
  await damage((copy) => {
    copy.assay.matrices[name].bits = 4;
  });
  await expect(task.read(directory)).rejects.toThrow('mlp.up_proj.codes');
  await damage((copy) => {
    copy.assay.matrices[name].shape = [64, 33];
  });
  await expect(task.read(directory)).rejects.toThrow(name);
  await damage((copy) => {
    delete copy.assay;
  });
  await expect(task.read(directory)).rejects.toThrow('assay');
  await writeFile(path, text);
  const weights = join(directory, 'model.safetensors');
  const bytes = await readFile(weights);
  await writeFile(weights, bytes.subarray(0, bytes.length - 100));
  await expect(task.read(directory)).rejects.toThrow('model.safetensors');
});
