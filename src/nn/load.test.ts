/** Loading and saving of models: every family and precision, shards, damaged files, llama2.c. */

import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bfloat16ToFloat, floatToBfloat16 } from '../array/float16.ts';
import { sharedPath } from '../data/shared.ts';
import { tokenizerFromJson } from '../data/tokenizer/hugging-face.ts';
import { trainTokenizer } from '../data/tokenizer/train.ts';
import { InvalidFileError, InvalidInputError } from '../error.ts';
import { openSafetensors } from '../format/safetensors-directory.ts';
import { type TensorToWrite, writeSafetensors } from '../format/safetensors-writer.ts';
import { runContext } from '../nouns/run.ts';
import { configurationJson, parseConfiguration } from './configuration.ts';
import { generateText, lastLogits } from './generate.ts';
import { loadLanguageModel, transpose } from './load.ts';
import { readParameters } from './memory-model.ts';
import type { LanguageModel, LanguageModelConfig } from './model.ts';
import { sampleConfiguration, sampleModel } from './sample-models.ts';
import { saveLanguageModel } from './save.ts';

let home = '';
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'assay-load-'));
});
afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

let count = 0;
const fresh = (): string => join(home, `model-${count++}`);

async function saved(
  model: LanguageModel,
  precision = 'float32' as const,
): Promise<string> {
  const directory = fresh();
  await saveLanguageModel(model, directory, { precision, existing: 'refuse' });
  return directory;
}

async function editConfig(
  directory: string,
  changes: Readonly<Record<string, unknown>>,
): Promise<void> {
  const path = join(directory, 'config.json');
  const config = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await writeFile(path, JSON.stringify({ ...config, ...changes }));
}

/** Rewrites the weights, each tensor as `change` says; null leaves it out. */
async function editWeights(
  directory: string,
  change: (tensor: TensorToWrite) => TensorToWrite | null,
): Promise<void> {
  const source = await openSafetensors(directory);
  const tensors: TensorToWrite[] = [];
  for (const name of source.names) {
    const { dtype, shape, data } = await source.readStored(name);
    const changed = change({ name, dtype, shape, data });
    if (changed) tensors.push(changed);
  }
  await writeSafetensors(join(directory, 'model.safetensors'), tensors);
}

const families = ['llama', 'mistral', 'qwen2', 'qwen3', 'gpt2'] as const;

describe('a saved model', () => {
  it.each(families)('of %s loads as what it was', async (family) => {
    const model = await sampleModel(family, 1, { slidingWindow: null });
    const loaded = await loadLanguageModel(await saved(model));
    expect(loaded.config).toEqual(model.config);
    expect(await readParameters(loaded)).toEqual(await readParameters(model));
    expect(loaded.parameters.names).toEqual(model.parameters.names);
    expect(loaded.tokenizer).toBeNull();
  });

  it.each([
    ['float16', (data: Float32Array) => Float32Array.from(new Float16Array(data))],
    ['bfloat16', (data: Float32Array) => bfloat16ToFloat(floatToBfloat16(data))],
  ] as const)('in %s is rounded to it, in shards as well', async (precision, round) => {
    const model = await sampleModel('qwen2', 2);
    const directory = fresh();
    const files = await saveLanguageModel(model, directory, {
      precision,
      existing: 'refuse',
      maximumShardBytes: 4000,
    });
    expect(files.filter((name) => name.endsWith('.safetensors')).length).toBeGreaterThan(
      2,
    );
    const loaded = await loadLanguageModel(directory);
    for (const [name, { data }] of Object.entries(await readParameters(model))) {
      expect(loaded.parameters.describe(name).dtype).toBe(precision);
      expect((await loaded.parameters.read(name)).data).toEqual(round(data));
    }
  });

  it('brings its tokenizer, and its fingerprint follows weights and configuration', async () => {
    const text = 'one fish two fish red fish blue fish '.repeat(20);
    const { tokenizer } = await trainTokenizer([text], { vocabularySize: 270 });
    const model = {
      ...(await sampleModel('llama', 3, { vocabularySize: 270 })),
      tokenizer,
    };
    const directory = await saved(model);
    const loaded = await loadLanguageModel(directory);
    expect(loaded.tokenizer!.encode('red fish')).toEqual(tokenizer.encode('red fish'));
    expect(tokenizerFromJson(loaded.tokenizer!.json!).encode('x')).toEqual(
      tokenizer.encode('x'),
    );
    const template = join(directory, 'chat_template.jinja');
    await writeFile(template, '{{ messages }}');
    const copied = await saved(await loadLanguageModel(directory));
    expect(await readFile(join(copied, 'chat_template.jinja'), 'utf8')).toBe(
      '{{ messages }}',
    );
    const again = await loadLanguageModel(await saved(model));
    expect(again.fingerprint).toBe(loaded.fingerprint);
    await editConfig(directory, { rms_norm_eps: 1e-6 });
    const changed = await loadLanguageModel(directory);
    expect(changed.fingerprint).not.toBe(loaded.fingerprint);
  });

  it('is not overwritten unasked', async () => {
    const model = await sampleModel('llama', 1);
    const directory = await saved(model);
    const options = { precision: 'float32', existing: 'refuse' } as const;
    await expect(saveLanguageModel(model, directory, options)).rejects.toThrow(
      InvalidInputError,
    );
    await saveLanguageModel(model, directory, { ...options, existing: 'replace' });
    await loadLanguageModel(directory);
  });

  it('of GPT-2 holds [in, out] weights, and one without prefixes loads too', async () => {
    const model = await sampleModel('gpt2', 4);
    const directory = await saved(model);
    const name = 'transformer.h.0.mlp.c_fc.weight';
    const stored = await (await openSafetensors(directory)).read(name);
    expect(stored.shape).toEqual([24, 32]);
    expect(transpose(stored)).toEqual(await model.parameters.read(name));
    await editWeights(directory, (tensor) => ({
      ...tensor,
      name: tensor.name.replace('transformer.', ''),
    }));
    const loaded = await loadLanguageModel(directory);
    expect(await readParameters(loaded)).toEqual(await readParameters(model));
  });

  it('with a copy of a tied head and computed buffers loads', async () => {
    const model = await sampleModel('gpt2', 4);
    const directory = await saved(model);
    const mask: TensorToWrite = {
      name: 'transformer.h.0.attn.bias',
      dtype: 'bool',
      shape: [1],
      data: new Uint8Array(1),
    };
    const source = await openSafetensors(directory);
    const embedding = await source.readStored('transformer.wte.weight');
    const all: TensorToWrite[] = [mask, { ...embedding, name: 'lm_head.weight' }];
    for (const name of source.names)
      all.push({ ...(await source.readStored(name)), name });
    await writeSafetensors(join(directory, 'model.safetensors'), all);
    const loaded = await loadLanguageModel(directory);
    expect(await readParameters(loaded)).toEqual(await readParameters(model));
  });
});

describe('a model that cannot be used', () => {
  const refusal = async (directory: string): Promise<InvalidFileError> => {
    const error = await loadLanguageModel(directory).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InvalidFileError);
    return error as InvalidFileError;
  };

  it.each([
    [{ model_type: 'mamba' }, 'model_type', /llama, mistral, qwen2, qwen3, gpt2/],
    [{ hidden_size: undefined }, 'hidden_size', /nothing/],
    [{ num_hidden_layers: 1.5 }, 'num_hidden_layers', /1\.5/],
    [{ num_key_value_heads: 4 }, 'num_key_value_heads', /divisor/],
    [{ hidden_act: 'relu' }, 'hidden_act', /silu/],
    [{ head_dim: 3 }, 'head_dim', /even/],
    [{ rope_scaling: { type: 'yarn', factor: 4 } }, 'rope_scaling.rope_type', /yarn/],
    [
      { rope_parameters: { rope_type: 'dynamic' } },
      'rope_parameters.rope_type',
      /dynamic/,
    ],
    [{ rope_scaling: { rope_type: 'linear' } }, 'factor', /above 0/],
    [{ quantization_config: { bits: 4 } }, 'quantization_config', /not quantized/],
    [{ layer_types: ['full_attention', 'sliding_attention'] }, 'layer_types', /one kind/],
  ] as const)('for %j names the field', async (changes, field, message) => {
    const directory = await saved(await sampleModel('llama', 5));
    await editConfig(directory, changes);
    const error = await refusal(directory);
    expect(error.file).toBe(join(directory, 'config.json'));
    expect(error.field).toBe(field);
    expect(error.message).toMatch(message);
  });

  it('for a missing tensor names file and tensor', async () => {
    const directory = await saved(await sampleModel('llama', 5));
    const lost = 'model.layers.1.mlp.up_proj.weight';
    await editWeights(directory, (tensor) => (tensor.name === lost ? null : tensor));
    const error = await refusal(directory);
    expect(error.file).toBe(join(directory, 'model.safetensors'));
    expect(error.field).toBe(`tensor "${lost}"`);
  });

  it('for a wrong shape or an integer type says what it should be', async () => {
    const directory = await saved(await sampleModel('llama', 5));
    const name = 'model.layers.0.self_attn.k_proj.weight';
    await editWeights(directory, (tensor) =>
      tensor.name === name ? { ...tensor, shape: [24, 8] } : tensor,
    );
    const shape = await refusal(directory);
    expect(shape.message).toContain(`"${name}": expected shape [8, 24], got [24, 8]`);
    await editWeights(directory, (tensor) =>
      tensor.name === name
        ? { ...tensor, shape: [8, 24], dtype: 'int32', data: new Int32Array(192) }
        : tensor,
    );
    expect((await refusal(directory)).received).toBe('int32');
  });

  it('for tensors of layers beyond the configuration names the first', async () => {
    const directory = await saved(await sampleModel('llama', 5));
    await editConfig(directory, { num_hidden_layers: 1 });
    expect((await refusal(directory)).field).toMatch(/tensor "model\.layers\.1\./);
  });

  it('for a truncated file says so', async () => {
    const directory = await saved(await sampleModel('llama', 5));
    const file = join(directory, 'model.safetensors');
    const { length } = await readFile(file);
    await truncate(file, length - 7);
    expect((await refusal(directory)).message).toMatch(/truncated/);
  });

  it('for nothing there, a text file, or no configuration says what was expected', async () => {
    expect((await refusal(fresh())).received).toBe('nothing there');
    const file = fresh();
    await writeFile(file, 'text');
    expect((await refusal(file)).expected).toMatch(/config\.json/);
    const directory = await saved(await sampleModel('llama', 5));
    await rm(join(directory, 'config.json'));
    expect((await refusal(directory)).received).toBe('no such file');
    await writeFile(join(directory, 'config.json'), '{"model_type":');
    expect((await refusal(directory)).expected).toBe('JSON');
  });
});

describe('configurations', () => {
  const variants: Partial<LanguageModelConfig>[] = [
    {},
    { ropeScaling: { type: 'linear', factor: 2 } },
    {
      ropeScaling: {
        type: 'llama3',
        factor: 8,
        lowFrequencyFactor: 1,
        highFrequencyFactor: 4,
        originalContextLength: 8192,
      },
    },
  ];
  it.each(families)('of %s are written and read back', (family) => {
    for (const changes of variants) {
      const rotary = family !== 'gpt2';
      const sliding = rotary && family !== 'llama' ? { slidingWindow: 7 } : {};
      const config = sampleConfiguration(family, {
        ...(rotary ? changes : {}),
        ...sliding,
        beginToken: 3,
      });
      const text = JSON.stringify(configurationJson(config, 'float16'));
      expect(parseConfiguration(text, 'config.json')).toEqual(config);
    }
  });

  it('take the defaults of the files that Hugging Face models have', () => {
    const gpt2 = parseConfiguration(
      '{"model_type":"gpt2","n_embd":768,"n_head":12,"n_layer":12,"vocab_size":50257,' +
        '"bos_token_id":50256,"eos_token_id":50256,"layer_norm_epsilon":1e-05}',
      'config.json',
    );
    expect(gpt2).toMatchObject({
      intermediateSize: 3072,
      contextLength: 1024,
      tiedHead: true,
    });
    const llama = parseConfiguration(
      '{"model_type":"llama","hidden_size":2048,"num_attention_heads":32,' +
        '"num_key_value_heads":8,"num_hidden_layers":16,"intermediate_size":8192,' +
        '"vocab_size":128256,"rope_theta":500000.0,"eos_token_id":[128001,128009],' +
        '"rope_scaling":{"factor":32.0,"high_freq_factor":4.0,"low_freq_factor":1.0,' +
        '"original_max_position_embeddings":8192,"rope_type":"llama3"}}',
      'config.json',
    );
    expect(llama).toMatchObject({ headSize: 64, endToken: 128001, ropeTheta: 500000 });
    const qwen2 = parseConfiguration(
      '{"model_type":"qwen2","hidden_size":896,"num_attention_heads":14,' +
        '"num_key_value_heads":2,"num_hidden_layers":24,"intermediate_size":4864,' +
        '"vocab_size":151936,"sliding_window":32768,"use_sliding_window":false,' +
        '"max_window_layers":21,"tie_word_embeddings":true}',
      'config.json',
    );
    expect(qwen2).toMatchObject({ queryKeyValueBias: true, slidingWindow: null });
  });

  it('that a file of the family cannot express are not written', () => {
    const config = sampleConfiguration('llama', { queryKeyValueBias: true });
    expect(() => configurationJson(config, 'float16')).toThrow(/cannot describe/);
  });
});

const stories = sharedPath('data', 'checkpoints', 'stories260k');

describe.skipIf(!stories.exists)('stories260K (needs ../shared/data)', () => {
  const known =
    'Once upon a time, there was a little girl named Lily. She loved to play outside in ' +
    'the park. One day, she saw a big, red ball. She wanted to play with it, but it was ' +
    "too high.\nLily's mom said, \"Lily, let's go to the park.\" Lily was sad and didn't " +
    'know what to ';

  it.each(['', 'stories260K.bin', 'stories260K.safetensors'])(
    'opened as "%s" writes its known text from BOS',
    async (file) => {
      const model = await loadLanguageModel(join(stories.path, file));
      const options = { maximumTokens: 105 };
      const text = await generateText(model, '', runContext(), options);
      expect(text.startsWith(known.trim())).toBe(true);
    },
  );

  it('is the same model when saved as LLaMA and loaded again', async () => {
    const model = await loadLanguageModel(join(stories.path, 'stories260K.bin'));
    const loaded = await loadLanguageModel(await saved(model));
    expect(loaded.config).toEqual(model.config);
    const ids = [1, 403, 407, 261];
    expect(await lastLogits(loaded, ids, runContext())).toEqual(
      await lastLogits(model, ids, runContext()),
    );
  });

  it('truncated names the tensor that is missing', async () => {
    const file = join(home, 'stories.bin');
    const bytes = await readFile(join(stories.path, 'stories260K.bin'));
    await writeFile(file, bytes.subarray(0, 500_000));
    await expect(loadLanguageModel(file)).rejects.toThrow(
      /stories\.bin: tensor "model\./,
    );
    await writeFile(file, bytes.subarray(0, 20));
    await expect(loadLanguageModel(file)).rejects.toThrow(/header.*truncated/);
  });
});
