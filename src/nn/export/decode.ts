/** Runs a model through ONNX Runtime token by token, float or quantized, and measures its speed. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRandom } from '../../array/random.ts';
import { openSession, type Session } from '../../array/session.ts';
import type { AnyTensor, Tensor } from '../../array/tensor.ts';
import { InvalidInputError, throwIfCancelled } from '../../error.ts';
import { writeFileAtomic } from '../../format/atomic.ts';
import { chooseToken } from '../generate.ts';
import type { LanguageModelConfig } from '../model.ts';
import { KeyValueBuffers, type LayerCache } from './cache.ts';
import { cacheName, type DecoderGraphOptions, decoderGraph } from './onnx/decoder.ts';
import { dataFile, inlineFile, inlineLength, referringFile } from './onnx/file.ts';
import { type ExportableModel, exportSource } from './source.ts';

export interface DecoderOptions
  extends Pick<DecoderGraphOptions, 'accuracyLevel' | 'attention'> {
  readonly threads?: number;
  readonly signal?: AbortSignal | undefined;
  /**
   * Models of more bytes reach ONNX Runtime through temporary files, as it takes at most 2 GB
   * from memory (default 1.5e9).
   */
  readonly largestInMemory?: number;
}

export interface DecodeOptions {
  readonly maximumTokens: number;
  /** 0 takes the likeliest token. */
  readonly temperature?: number;
  readonly topProbability?: number;
  readonly seed?: number;
  /** Ids that end the text; the model's end token unless given. */
  readonly stop?: readonly number[];
  readonly signal?: AbortSignal | undefined;
}

/** A model held by ONNX Runtime with the sequence it has read so far. */
export interface Decoder {
  readonly config: LanguageModelConfig;
  /** Tokens read. */
  readonly length: number;
  /** Reads further tokens: logits after each, `[ids.length, vocabularySize]`. */
  append(ids: readonly number[]): Promise<Tensor>;
  /** Reads further tokens and yields continuations until a stop token or a full context. */
  generate(ids: readonly number[], options: DecodeOptions): AsyncGenerator<number>;
  /** Forgets all tokens but the first `length` (default 0). */
  rewind(length?: number): void;
  /** Frees the native memory. */
  release(): Promise<void>;
}

/**
 * Opens a model for decoding. Quantized layers run as MatMulNBits; keys and values are kept
 * in one buffer a layer, to which a step adds its own only.
 */
export async function openDecoder(
  model: ExportableModel,
  options: DecoderOptions = {},
): Promise<Decoder> {
  const { config } = model;
  const session = await decoderSession(model, options);
  const buffers = new KeyValueBuffers(config);
  const append = (ids: readonly number[]): Promise<Tensor> =>
    step(session, config, buffers, ids);
  return {
    config,
    get length() {
      return buffers.length;
    },
    append,
    generate: (ids, decoding) => continuation(config, buffers, append, ids, decoding),
    rewind: (length = 0) => buffers.truncate(length),
    release: () => session.release(),
  };
}

async function decoderSession(
  model: ExportableModel,
  options: DecoderOptions,
): Promise<Session> {
  const { threads, signal, largestInMemory = 1.5e9, ...graphOptions } = options;
  const settings = threads === undefined ? {} : { threads };
  const graph = decoderGraph(exportSource(model), { ...graphOptions, cache: 'added' });
  const length = inlineLength(graph.model, graph.weights);
  if (length <= largestInMemory) {
    const bytes = new Uint8Array(length);
    let offset = 0;
    for await (const chunk of inlineFile(graph.model, graph.weights)) {
      throwIfCancelled(signal);
      bytes.set(chunk, offset);
      offset += chunk.length;
    }
    return openSession(bytes, settings);
  }
  const directory = await mkdtemp(join(tmpdir(), 'assay-decoder-'));
  try {
    const path = join(directory, 'model.onnx');
    const name = 'model.onnx_data';
    await writeFileAtomic(join(directory, name), dataFile(graph.weights), { signal });
    await writeFileAtomic(path, referringFile(graph.model, graph.weights, name));
    return await openSession(path, settings);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function step(
  session: Session,
  config: LanguageModelConfig,
  buffers: KeyValueBuffers,
  ids: readonly number[],
): Promise<Tensor> {
  checkIds(config, ids);
  buffers.reserve(ids.length);
  const total = buffers.length + ids.length;
  const feeds: Record<string, AnyTensor> = {
    input_ids: {
      dtype: 'int64',
      shape: [1, ids.length],
      data: BigInt64Array.from(ids, BigInt),
    },
    attention_mask: {
      dtype: 'int64',
      shape: [1, total],
      data: new BigInt64Array(total).fill(1n),
    },
  };
  buffers.layers.forEach(({ key, value }, layer) => {
    feeds[cacheName('past_key_values', layer, 'key')] = key;
    feeds[cacheName('past_key_values', layer, 'value')] = value;
  });
  const outputs = await session.run(feeds);
  const added = Array.from(
    { length: config.layers },
    (_, layer): LayerCache => ({
      key: outputs[cacheName('added', layer, 'key')] as Tensor,
      value: outputs[cacheName('added', layer, 'value')] as Tensor,
    }),
  );
  buffers.append(ids.length, added);
  const logits = outputs.logits as Tensor;
  return { ...logits, shape: [ids.length, config.vocabularySize] };
}

async function* continuation(
  config: LanguageModelConfig,
  buffers: KeyValueBuffers,
  append: (ids: readonly number[]) => Promise<Tensor>,
  ids: readonly number[],
  options: DecodeOptions,
): AsyncGenerator<number> {
  const { temperature = 0, topProbability = 1, seed = 0, signal } = options;
  const end = config.endToken === null ? [] : [config.endToken];
  const stop = new Set(options.stop ?? end);
  const random = createRandom(seed);
  let next = ids;
  for (let count = 0; count < options.maximumTokens; count++) {
    throwIfCancelled(signal);
    if (buffers.length + next.length > config.contextLength) return;
    const logits = await append(next);
    const last = logits.data.subarray(-config.vocabularySize);
    const token = chooseToken(last, temperature, topProbability, random);
    if (stop.has(token)) return;
    yield token;
    next = [token];
  }
}

function checkIds(config: LanguageModelConfig, ids: readonly number[]): void {
  if (ids.length === 0) throw new InvalidInputError('ids', 'at least one token', 'none');
  const wrong = ids.find(
    (id) => !Number.isInteger(id) || id < 0 || id >= config.vocabularySize,
  );
  if (wrong !== undefined) {
    const expected = `token ids from 0 to ${config.vocabularySize - 1}`;
    throw new InvalidInputError('ids', expected, `${wrong}`);
  }
}
