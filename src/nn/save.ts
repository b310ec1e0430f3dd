/** Writes a language model as a Hugging Face directory. */

import { join } from 'node:path';
import { floatToBfloat16 } from '../array/float16.ts';
import type { TypedArrays } from '../array/tensor.ts';
import type { Tokenizer } from '../data/tokenizer.ts';
import { writeDirectoryAtomic, writeFileAtomic } from '../format/atomic.ts';
import {
  type TensorToWrite,
  writeShardedSafetensors,
} from '../format/safetensors-writer.ts';
import { configurationJson } from './configuration.ts';
import { transpose, transposedNames } from './load.ts';
import type { LanguageModel } from './model.ts';

/** Stored types of weights. */
export type WeightPrecision = 'float32' | 'float16' | 'bfloat16';

export interface SaveOptions {
  readonly precision: WeightPrecision;
  /** What to do when the directory exists already. */
  readonly existing: 'refuse' | 'replace';
  readonly signal?: AbortSignal | undefined;
  readonly maximumShardBytes?: number;
  /** Further files by name, such as a model card. */
  readonly files?: Readonly<Record<string, string>>;
}

/**
 * Writes `config.json`, `generation_config.json`, `model.safetensors` (or shards with an
 * index) and, where the tokenizer has one, `tokenizer.json` with `tokenizer_config.json`:
 * all of them or nothing. Weights are rounded to nearest even; one tensor is in memory at a
 * time. Returns the names of the files.
 *
 * @throws InvalidInputError when the directory exists and may not be replaced.
 */
export async function saveLanguageModel(
  model: LanguageModel,
  directory: string,
  options: SaveOptions,
): Promise<readonly string[]> {
  const { signal } = options;
  const files = { ...describingFiles(model, options.precision), ...options.files };
  return writeDirectoryAtomic(
    directory,
    async (temporary) => {
      for (const [name, text] of Object.entries(files)) {
        await writeFileAtomic(join(temporary, name), text, { signal });
      }
      const weights = await writeShardedSafetensors(
        temporary,
        tensorsToWrite(model, options.precision),
        {
          metadata: { format: 'pt' },
          signal,
          ...(options.maximumShardBytes === undefined
            ? {}
            : { maximumShardBytes: options.maximumShardBytes }),
        },
      );
      return [...Object.keys(files), ...weights];
    },
    { existing: options.existing, signal },
  );
}

/**
 * The text files of a model directory by name: configurations, and the tokenizer with the
 * files it was loaded with.
 */
export function describingFiles(
  model: LanguageModel,
  precision: WeightPrecision,
): Record<string, string> {
  const { config, tokenizer } = model;
  const files: Record<string, string> = {
    'config.json': json(configurationJson(config, precision)),
    'generation_config.json': json({
      bos_token_id: config.beginToken,
      eos_token_id: config.endToken,
      do_sample: false,
    }),
  };
  if (tokenizer?.json) {
    files['tokenizer.json'] = tokenizer.json;
    files['tokenizer_config.json'] = json({
      tokenizer_class: 'PreTrainedTokenizerFast',
      model_max_length: config.contextLength,
      clean_up_tokenization_spaces: false,
      ...specialToken('bos_token', tokenizer, config.beginToken),
      ...specialToken('eos_token', tokenizer, config.endToken),
    });
  }
  return { ...files, ...tokenizer?.files };
}

function specialToken(
  key: string,
  tokenizer: Tokenizer,
  id: number | null,
): Record<string, string> {
  const text = id === null ? '' : tokenizer.decode([id]);
  return text === '' ? {} : { [key]: text };
}

function tensorsToWrite(
  model: LanguageModel,
  precision: WeightPrecision,
): TensorToWrite[] {
  const transposed = transposedNames(model.config);
  return model.parameters.names.map((name) => {
    const { shape } = model.parameters.describe(name);
    const turned = transposed.has(name);
    return {
      name,
      dtype: precision,
      shape: turned ? [...shape].reverse() : shape,
      data: async () => {
        const tensor = await model.parameters.read(name);
        return rounded((turned ? transpose(tensor) : tensor).data, precision);
      },
    };
  });
}

function rounded(
  data: Float32Array,
  precision: WeightPrecision,
): TypedArrays[WeightPrecision] {
  if (precision === 'float16') return new Float16Array(data);
  return precision === 'bfloat16' ? floatToBfloat16(data) : data;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
