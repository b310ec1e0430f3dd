/** A decoder's functions compiled: one block function serves every layer. */

import { compile } from '../../array/compile.ts';
import { float32, type Tensor } from '../../array/tensor.ts';
import { InvalidInputError } from '../../error.ts';
import type { LanguageModel, LanguageModelConfig, ParameterSource } from '../model.ts';
import { block, type Past, type TracedRecord } from './block.ts';
import type { Traced } from './functions.ts';
import type { TapName } from './linear-layers.ts';
import { head, negativeLogLikelihood } from './model.ts';
import { blockPrefix, blockShapes, parameterNames } from './parameters.ts';
import type { Surroundings } from './positions.ts';

export type TensorRecord = Record<string, Tensor>;

/** Keys and values of a block, `[batch, keyValueHeads, slots, headSize]`. */
export type KeyValueCache = { keys: Tensor; values: Tensor };

/** Compiled functions of one configuration. Hidden states are `[batch, length, hiddenSize]`. */
export interface CompiledDecoder {
  block(
    parameters: TensorRecord,
    hidden: Tensor,
    surroundings: Surroundings,
  ): Promise<{ hidden: Tensor }>;
  /** Also the inputs of every linear layer. */
  blockWithTaps(
    parameters: TensorRecord,
    hidden: Tensor,
    surroundings: Surroundings,
  ): Promise<{ hidden: Tensor; taps: Record<TapName, Tensor> }>;
  /** Also the keys and values of the positions. */
  blockWithCache(
    parameters: TensorRecord,
    hidden: Tensor,
    surroundings: Surroundings,
  ): Promise<{ hidden: Tensor; cache: KeyValueCache }>;
  /** New positions behind cached ones; returns the new keys and values only. */
  step(
    parameters: TensorRecord,
    hidden: Tensor,
    surroundings: Surroundings,
    past: KeyValueCache,
  ): Promise<{ hidden: Tensor; cache: KeyValueCache }>;
  /** Logits `[batch, length, vocabularySize]`. */
  head(parameters: TensorRecord, hidden: Tensor): Promise<Tensor>;
  /** Negative log-likelihood of `targets [batch, length]`, in nats, same shape. */
  score(
    parameters: TensorRecord,
    hidden: Tensor,
    targets: Tensor<'int32'>,
  ): Promise<Tensor>;
}

const decoders = new Map<string, CompiledDecoder>();

/** The compiled functions of a configuration, made once a process. */
export function compiledDecoder(
  config: LanguageModelConfig,
  threads: number,
): CompiledDecoder {
  const key = JSON.stringify([config, threads]);
  const known = decoders.get(key);
  if (known) return known;
  const options = { threads };
  const made = {
    block: compile(
      (parameters: TracedRecord, hidden: Traced, surroundings: TracedRecord) =>
        block(config, parameters, hidden, surroundings),
      options,
    ),
    blockWithTaps: compile(
      (parameters: TracedRecord, hidden: Traced, surroundings: TracedRecord) =>
        block(config, parameters, hidden, surroundings, { taps: true }),
      options,
    ),
    blockWithCache: compile(
      (parameters: TracedRecord, hidden: Traced, surroundings: TracedRecord) =>
        block(config, parameters, hidden, surroundings, { cache: true }),
      options,
    ),
    step: compile(
      (
        parameters: TracedRecord,
        hidden: Traced,
        surroundings: TracedRecord,
        past: Past,
      ) => block(config, parameters, hidden, surroundings, { cache: true }, past),
      options,
    ),
    head: compile(
      (parameters: TracedRecord, hidden: Traced) => head(config, parameters, hidden),
      options,
    ),
    score: compile(
      (parameters: TracedRecord, hidden: Traced, targets: Traced) =>
        negativeLogLikelihood(head(config, parameters, hidden), targets),
      options,
    ),
  } as unknown as CompiledDecoder;
  decoders.set(key, made);
  return made;
}

/** The parameters of one block under their local names. */
export async function readBlock(
  model: LanguageModel,
  layer: number,
): Promise<TensorRecord> {
  const prefix = blockPrefix(model.config, layer);
  const parameters: TensorRecord = {};
  for (const name of Object.keys(blockShapes(model.config))) {
    parameters[name] = await model.parameters.read(prefix + name);
  }
  return parameters;
}

/** The parameters of the final norm and the head. */
export async function readHead(model: LanguageModel): Promise<TensorRecord> {
  const names = parameterNames(model.config);
  const parameters: TensorRecord = {};
  for (const name of [names.finalNorm, names.finalNormBias, names.head]) {
    if (name !== null) parameters[name] = await model.parameters.read(name);
  }
  return parameters;
}

/** The tables that turn token ids into hidden states. */
export interface EmbeddingTables {
  readonly tokens: Tensor;
  readonly positions: Tensor | null;
}

/** Reads the embedding and, where they are learned, the positions. */
export async function readEmbedding(model: LanguageModel): Promise<EmbeddingTables> {
  const names = parameterNames(model.config);
  return {
    tokens: await model.parameters.read(names.embedding),
    positions:
      names.positions === null ? null : await model.parameters.read(names.positions),
  };
}

/**
 * Hidden states `[batch, length, hiddenSize]` of equally long rows of token ids, the first
 * of which stand at position `first`.
 * @throws InvalidInputError for an id outside the vocabulary.
 */
export function embedTokens(
  tables: EmbeddingTables,
  rows: readonly ArrayLike<number>[],
  first = 0,
): Tensor {
  const [vocabularySize = 0, hiddenSize = 0] = tables.tokens.shape;
  const length = rows[0]?.length ?? 0;
  const data = new Float32Array(rows.length * length * hiddenSize);
  rows.forEach((ids, row) => {
    for (let index = 0; index < length; index++) {
      const id = ids[index]!;
      if (!Number.isInteger(id) || id < 0 || id >= vocabularySize) {
        const expected = `token ids from 0 to ${vocabularySize - 1}`;
        throw new InvalidInputError('ids', expected, `${id} at position ${index}`);
      }
      const target = (row * length + index) * hiddenSize;
      data.set(
        tables.tokens.data.subarray(id * hiddenSize, (id + 1) * hiddenSize),
        target,
      );
      if (tables.positions) {
        const source = (first + index) * hiddenSize;
        for (let feature = 0; feature < hiddenSize; feature++) {
          data[target + feature]! += tables.positions.data[source + feature]!;
        }
      }
    }
  });
  return float32([rows.length, length, hiddenSize], data);
}

/** The same source with every tensor kept in memory once it has been read. */
export function keepInMemory(source: ParameterSource): ParameterSource {
  const kept = new Map<string, Promise<Tensor>>();
  return {
    names: source.names,
    describe: source.describe,
    read: (name) => {
      const known = kept.get(name);
      if (known) return known;
      const reading = source.read(name);
      kept.set(name, reading);
      return reading;
    },
  };
}
