/** Text from a language model: the next token's logits, greedy and sampled continuation. */

import { createRandom, type Random } from '../array/random.ts';
import { float32, type Tensor } from '../array/tensor.ts';
import { InvalidInputError, throwIfCancelled } from '../error.ts';
import type { RunContext } from '../nouns/run.ts';
import {
  type CompiledDecoder,
  compiledDecoder,
  type EmbeddingTables,
  embedTokens,
  type KeyValueCache,
  keepInMemory,
  readBlock,
  readEmbedding,
  readHead,
  type TensorRecord,
} from './decoder/compiled.ts';
import { sequenceSurroundings, stepSurroundings } from './decoder/positions.ts';
import type { LanguageModel } from './model.ts';

export interface GenerateOptions {
  /** Most tokens to add. */
  readonly maximumTokens: number;
  /** 0 takes the likeliest token; above, logits are divided by it before sampling. */
  readonly temperature?: number;
  /** Sample from the fewest likeliest tokens whose probabilities reach this sum. */
  readonly topProbability?: number;
  /** Ids that end the text; the model's end token unless given. */
  readonly stop?: readonly number[];
}

/**
 * Logits `[vocabularySize]` of the token after `ids`.
 * @throws InvalidInputError for no ids, more than the context holds or unknown ones.
 */
export async function lastLogits(
  model: LanguageModel,
  ids: readonly number[],
  context: RunContext,
): Promise<Float32Array> {
  checkPrompt(model, ids);
  const { config } = model;
  const decoder = compiledDecoder(config, context.threads);
  const rows = [paddedIds(model, ids)];
  const surroundings = sequenceSurroundings(config, rows[0]!.length);
  let hidden = embedTokens(await readEmbedding(model), rows);
  for (let layer = 0; layer < config.layers; layer++) {
    throwIfCancelled(context.signal);
    const parameters = await readBlock(model, layer);
    hidden = (await decoder.block(parameters, hidden, surroundings)).hidden;
  }
  return headOf(decoder, await readHead(model), hidden, ids.length - 1);
}

/**
 * Tokens that continue `ids`, one by one as they are found, until a stop token (which is not
 * yielded), `maximumTokens` or the end of the context. The model's parameters stay in memory,
 * keys and values of past tokens are kept. Sampling is seeded by `context.seed`.
 */
export async function* generate(
  model: LanguageModel,
  ids: readonly number[],
  context: RunContext,
  options: GenerateOptions,
): AsyncGenerator<number, void, undefined> {
  const { temperature = 0, topProbability = 1 } = options;
  checkPrompt(model, ids);
  checkSampling(temperature, topProbability);
  const { config } = model;
  const stop = new Set(
    options.stop ?? (config.endToken === null ? [] : [config.endToken]),
  );
  const random = createRandom(context.seed);
  const kept = { ...model, parameters: keepInMemory(model.parameters) };
  const session = await openSession(kept, ids, context);
  let logits = session.logits;
  const most = Math.min(options.maximumTokens, config.contextLength - ids.length);
  for (let count = 0; count < most; count++) {
    throwIfCancelled(context.signal);
    const token = chooseToken(logits, temperature, topProbability, random);
    if (stop.has(token)) return;
    yield token;
    if (count + 1 < most) logits = await session.next(token);
  }
}

/** The text that continues a prompt; an empty prompt starts from the begin token. */
export async function generateText(
  model: LanguageModel,
  prompt: string,
  context: RunContext,
  options: GenerateOptions,
): Promise<string> {
  const { tokenizer, config } = model;
  if (!tokenizer)
    throw new InvalidInputError('model', 'a model with a tokenizer', 'none');
  const begin = config.beginToken === null ? [] : [config.beginToken];
  const start = prompt === '' ? begin : tokenizer.encode(prompt);
  const added: number[] = [];
  for await (const token of generate(model, start, context, options)) added.push(token);
  return tokenizer.decode(added);
}

/** The id with the largest logit (the first of equals), or one drawn at random. */
export function chooseToken(
  logits: Float32Array,
  temperature: number,
  topProbability: number,
  random: Random,
): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[best]!) best = id;
  if (temperature === 0) return best;
  const weights = Float64Array.from(logits, (logit) =>
    Math.exp((logit - logits[best]!) / temperature),
  );
  const order = Array.from(weights.keys()).sort(
    (a, b) => weights[b]! - weights[a]! || a - b,
  );
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let reached = 0;
  let size = 0;
  while (size < order.length && (size === 0 || reached < topProbability * total)) {
    reached += weights[order[size++]!]!;
  }
  let target = random.uniform() * reached;
  for (const id of order.slice(0, size)) {
    target -= weights[id]!;
    if (target < 0) return id;
  }
  return order[size - 1]!;
}

interface Session {
  /** Logits after the prompt. */
  readonly logits: Float32Array;
  /** Logits after one more token. */
  next(token: number): Promise<Float32Array>;
}

async function openSession(
  model: LanguageModel,
  ids: readonly number[],
  context: RunContext,
): Promise<Session> {
  const { config } = model;
  const decoder = compiledDecoder(config, context.threads);
  const tables: EmbeddingTables = await readEmbedding(model);
  const rows = [paddedIds(model, ids)];
  const surroundings = sequenceSurroundings(config, rows[0]!.length);
  const blocks: TensorRecord[] = [];
  const caches: KeyValueCache[] = [];
  let hidden = embedTokens(tables, rows);
  for (let layer = 0; layer < config.layers; layer++) {
    throwIfCancelled(context.signal);
    const parameters = await readBlock(model, layer);
    const result = await decoder.blockWithCache(parameters, hidden, surroundings);
    hidden = result.hidden;
    blocks.push(parameters);
    caches.push(result.cache);
  }
  const headParameters = await readHead(model);
  let position = ids.length;
  return {
    logits: await headOf(decoder, headParameters, hidden, ids.length - 1),
    async next(token) {
      let state = embedTokens(tables, [[token]], position);
      const capacity = caches[0]!.keys.shape[2]!;
      const around = stepSurroundings(config, position, capacity);
      for (const [layer, parameters] of blocks.entries()) {
        const result = await decoder.step(parameters, state, around, caches[layer]!);
        state = result.hidden;
        const room = position < capacity ? caches[layer]! : widened(caches[layer]!);
        place(room.keys, result.cache.keys, position);
        place(room.values, result.cache.values, position);
        caches[layer] = room;
      }
      position++;
      return headOf(decoder, headParameters, state, 0);
    },
  };
}

/** A cache with twice the slots: few sizes, so that few functions are compiled. */
function widened(cache: KeyValueCache): KeyValueCache {
  const wide = (tensor: Tensor): Tensor => {
    const [batch = 0, heads = 0, slots = 0, headSize = 0] = tensor.shape;
    const result = float32([batch, heads, 2 * slots, headSize]);
    for (let head = 0; head < batch * heads; head++) {
      const from = head * slots * headSize;
      result.data.set(tensor.data.subarray(from, from + slots * headSize), 2 * from);
    }
    return result;
  };
  return { keys: wide(cache.keys), values: wide(cache.values) };
}

function place(target: Tensor, added: Tensor, position: number): void {
  const [batch = 0, heads = 0, slots = 0, headSize = 0] = target.shape;
  for (let head = 0; head < batch * heads; head++) {
    const values = added.data.subarray(head * headSize, (head + 1) * headSize);
    target.data.set(values, (head * slots + position) * headSize);
  }
}

async function headOf(
  decoder: CompiledDecoder,
  parameters: TensorRecord,
  hidden: Tensor,
  position: number,
): Promise<Float32Array> {
  const features = hidden.shape[2] ?? 0;
  const row = hidden.data.slice(position * features, (position + 1) * features);
  return (await decoder.head(parameters, float32([1, 1, features], row))).data;
}

/** Ids filled up with token 0 to a power of two: causal attention never looks at them. */
function paddedIds(model: LanguageModel, ids: readonly number[]): Int32Array {
  let length = 16;
  while (length < ids.length) length *= 2;
  const filled = new Int32Array(Math.min(length, model.config.contextLength));
  filled.set(ids);
  return filled;
}

function checkPrompt(model: LanguageModel, ids: readonly number[]): void {
  const { contextLength } = model.config;
  if (ids.length < 1 || ids.length > contextLength) {
    const expected = `1 to ${contextLength} tokens, the context of the model`;
    throw new InvalidInputError('ids', expected, `${ids.length}`);
  }
}

function checkSampling(temperature: number, topProbability: number): void {
  if (!(temperature >= 0 && Number.isFinite(temperature))) {
    throw new InvalidInputError('temperature', '0 or more', `${temperature}`);
  }
  if (!(topProbability > 0 && topProbability <= 1)) {
    throw new InvalidInputError(
      'topProbability',
      'above 0, at most 1',
      `${topProbability}`,
    );
  }
}
