/** Writes a model as a GGUF file that llama.cpp and its relatives load. */

import { stat } from 'node:fs/promises';
import { AssayError, throwIfCancelled } from '../../error.ts';
import { writeGguf as writeGgufFile } from '../../format/gguf/index.ts';
import type { LanguageModelConfig } from '../model.ts';
import {
  architectureMetadata,
  contextOf,
  frequencyDivisors,
  generalMetadata,
} from './gguf/metadata.ts';
import { architectureOf, namedTensors } from './gguf/names.ts';
import {
  type GgufTensorReport,
  type PlannedTensor,
  planTensor,
  type TensorChoice,
} from './gguf/tensors.ts';
import { tokenizerMetadata } from './gguf/tokenizer.ts';
import { type ExportableModel, type ExportContext, exportSource } from './source.ts';

/**
 * How tensors are stored. By default nothing is lost, but that quantized matrices which no
 * block type holds are rounded to F16.
 */
export type GgufOptions = Partial<TensorChoice>;

export interface GgufReport {
  readonly file: string;
  readonly bytes: number;
  readonly architecture: string;
  /** Kind of tokenizer: `gpt2`, `llama` or `none`. */
  readonly tokenizer: string;
  readonly tensors: readonly GgufTensorReport[];
  /** Largest difference between a stored value and the model's, over all tensors. */
  readonly maximumDeviation: number;
  /** What llama.cpp will do otherwise than the model says, in sentences. */
  readonly notes: readonly string[];
}

/**
 * Writes one file, atomically, a tensor in memory at a time. Quantized matrices are stored in
 * the smallest block type that holds their very values (`blocks: 'exact'`) or else as F16
 * (`fallback`), other matrices in the smallest float type that holds theirs
 * (`floats: 'exact'`); the report says what each became and how far it is off. Throws `InvalidInputError` for parameters that are missing or not finite and
 * `AssayError` (`unsupported`) for an architecture that llama.cpp has not.
 */
export async function writeGguf(
  model: ExportableModel,
  file: string,
  context: ExportContext = {},
  options: GgufOptions = {},
): Promise<GgufReport> {
  const { signal } = context;
  const choice: TensorChoice = {
    blocks: 'exact',
    floats: 'exact',
    fallback: 'F16',
    ...options,
  };
  const source = exportSource(model);
  const { config } = source;
  checkSupported(config);
  const tokenizer = tokenizerMetadata(source.tokenizer, config);
  const planned: PlannedTensor[] = [];
  for (const tensor of namedTensors(config)) {
    throwIfCancelled(signal, 'the export');
    planned.push(await planTensor(source, tensor, choice));
  }
  const divisors = frequencyDivisors(config);
  if (divisors) planned.push(frequencyTensor(divisors));
  const deviations = new Map<string, number>();
  const total = planned.reduce((sum, tensor) => sum + tensor.byteLength, 0);
  let done = 0;
  await writeGgufFile(
    file,
    {
      metadata: [
        ...generalMetadata(config, source.name, planned),
        ...architectureMetadata(config),
        ...tokenizer.metadata,
      ],
      tensors: planned.map(({ name, type, shape, byteLength, encode }) => ({
        name,
        type,
        shape,
        data: async () => {
          throwIfCancelled(signal, 'the export');
          const { bytes, maximumDeviation } = await encode();
          deviations.set(name, maximumDeviation);
          done += byteLength;
          context.progress?.({ done, total, label: `writing ${name}` });
          return bytes;
        },
      })),
    },
    { signal },
  );
  const tensors = planned.map(
    ({ name, parameter, type, shape, byteLength, note }): GgufTensorReport => ({
      name,
      parameter,
      type,
      shape,
      bytes: byteLength,
      maximumDeviation: deviations.get(name) ?? 0,
      note,
    }),
  );
  return {
    file,
    bytes: (await stat(file)).size,
    architecture: architectureOf(config),
    tokenizer: tokenizer.model,
    tensors,
    maximumDeviation: Math.max(...deviations.values()),
    notes: [...tokenizer.notes, ...modelNotes(model)],
  };
}

function frequencyTensor(divisors: Float32Array): PlannedTensor {
  return {
    name: 'rope_freqs.weight',
    parameter: 'rotary frequencies',
    type: 'F32',
    shape: [divisors.length],
    byteLength: divisors.byteLength,
    note: '',
    encode: async () => ({
      bytes: new Uint8Array(divisors.buffer, divisors.byteOffset, divisors.byteLength),
      maximumDeviation: 0,
    }),
  };
}

function checkSupported(config: LanguageModelConfig): void {
  const architecture = architectureOf(config);
  const unsupported = (what: string): never => {
    throw new AssayError('unsupported', `llama.cpp has no ${architecture} with ${what}`);
  };
  if (config.ropeScaling?.type === 'llama3' && architecture !== 'llama') {
    unsupported('frequencies stretched as llama3 does');
  }
  if (config.outputBias && (architecture === 'qwen2' || architecture === 'qwen3')) {
    unsupported('a bias on the output projection');
  }
}

function modelNotes(model: ExportableModel): string[] {
  const { config } = model;
  const notes: string[] = [];
  if (contextOf(config) < config.contextLength) {
    notes.push(
      `the context is written as ${contextOf(config)} tokens, the sliding window: llama.cpp would look further back`,
    );
  }
  if ('activations' in model && Object.keys(model.activations).length > 0) {
    notes.push(
      'the quantization of layer inputs is not written: llama.cpp rounds inputs its own way',
    );
  }
  return notes;
}
