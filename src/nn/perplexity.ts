/** Perplexity of a text by a sliding window. */

import { float32, int32, type Tensor } from '../array/tensor.ts';
import { InvalidInputError, throwIfCancelled } from '../error.ts';
import type { RunContext } from '../nouns/run.ts';
import {
  type CompiledDecoder,
  compiledDecoder,
  embedTokens,
  readBlock,
  readEmbedding,
  readHead,
} from './decoder/compiled.ts';
import { sequenceSurroundings } from './decoder/positions.ts';
import type { LanguageModel } from './model.ts';

export interface PerplexityOptions {
  /** Tokens of a window; the model's context length unless given. */
  readonly window?: number;
  /** Tokens between the starts of windows; half the window (rounded up) unless given. */
  readonly stride?: number;
  /** Windows run at once; chosen by memory unless given. */
  readonly batch?: number;
}

export interface PerplexityResult {
  /** Mean negative log-likelihood of a scored token, in nats. */
  readonly natsPerToken: number;
  /** `exp(natsPerToken)`. */
  readonly perplexity: number;
  /** Sum over scored tokens in bits, by UTF-8 bytes of the text; null for ids without text. */
  readonly bitsPerByte: number | null;
  readonly tokensScored: number;
  readonly window: number;
  readonly stride: number;
}

/** One window: `ids[start .. start + length - 1]`, of which tokens from `firstScored` count. */
export interface Window {
  readonly start: number;
  readonly length: number;
  /** Index in the whole text of the first token that this window scores. */
  readonly firstScored: number;
}

/**
 * Windows over `count` tokens. Each starts `stride` after the one before, the last ends with
 * the text, and each token but the very first is scored once, in the first window that holds
 * it: it sees at least `window - stride` tokens before it, or all there are.
 */
export function slidingWindows(count: number, window: number, stride: number): Window[] {
  const windows: Window[] = [];
  let scoredUpTo = 1;
  for (let start = 0; scoredUpTo < count; start += stride) {
    const end = Math.min(start + window, count);
    windows.push({ start, length: end - start, firstScored: scoredUpTo });
    scoredUpTo = end;
  }
  return windows;
}

/**
 * Perplexity of a text.
 * @throws InvalidInputError when the model has no tokenizer or the text has fewer than two
 * tokens, CancelledError.
 */
export async function textPerplexity(
  model: LanguageModel,
  text: string,
  context: RunContext,
  options: PerplexityOptions = {},
): Promise<PerplexityResult> {
  if (!model.tokenizer) {
    throw new InvalidInputError('model', 'a model with a tokenizer', 'none');
  }
  const result = await perplexity(model, model.tokenizer.encode(text), context, options);
  const bits = (result.natsPerToken * result.tokensScored) / Math.LN2;
  return { ...result, bitsPerByte: bits / Buffer.byteLength(text, 'utf8') };
}

/** Perplexity of token ids; see `slidingWindows` for what is scored with which context. */
export async function perplexity(
  model: LanguageModel,
  ids: readonly number[],
  context: RunContext,
  options: PerplexityOptions = {},
): Promise<PerplexityResult> {
  const { window, stride } = checkOptions(model, ids, options);
  const windows = slidingWindows(ids.length, window, stride);
  const scores = await scoreWindows(
    model,
    ids,
    windows,
    context,
    options.batch ?? batchSize(model, window),
  );
  let sum = 0;
  let count = 0;
  windows.forEach(({ start, length, firstScored }, index) => {
    // The score at position p of a window is that of its token p + 1.
    for (let token = firstScored; token < start + length; token++) {
      sum += scores[index]![token - start - 1]!;
      count++;
    }
  });
  const natsPerToken = sum / count;
  return {
    natsPerToken,
    perplexity: Math.exp(natsPerToken),
    bitsPerByte: null,
    tokensScored: count,
    window,
    stride,
  };
}

function checkOptions(
  model: LanguageModel,
  ids: readonly number[],
  options: PerplexityOptions,
): { window: number; stride: number } {
  const { contextLength } = model.config;
  const window = options.window ?? contextLength;
  if (!Number.isInteger(window) || window < 2 || window > contextLength) {
    const expected = `a whole number from 2 to the context length ${contextLength}`;
    throw new InvalidInputError('window', expected, `${window}`);
  }
  const stride = options.stride ?? Math.ceil(window / 2);
  // With a stride of the whole window a token would start its window unseen and unscored.
  if (!Number.isInteger(stride) || stride < 1 || stride >= window) {
    const expected = `a whole number from 1 to ${window - 1}`;
    throw new InvalidInputError('stride', expected, `${stride}`);
  }
  if (ids.length < 2) {
    throw new InvalidInputError('text', 'at least two tokens', `${ids.length}`);
  }
  return { window, stride };
}

/** Windows at once: at most 4096 tokens and 256 MB of attention scores. */
function batchSize(model: LanguageModel, window: number): number {
  const scoreBytes = 4 * model.config.heads * window * window;
  return Math.max(
    1,
    Math.min(Math.floor(4096 / window), Math.floor(2 ** 28 / scoreBytes)),
  );
}

/** Hidden states of one pass over the blocks: at most this many bytes on the host. */
const hiddenBytes = 2 ** 29;

/**
 * Negative log-likelihoods of each window's tokens after the first, in nats. Blocks are the
 * outer loop: each block's parameters are read once for up to 512 MB of hidden states.
 */
async function scoreWindows(
  model: LanguageModel,
  ids: readonly number[],
  windows: readonly Window[],
  context: RunContext,
  batch: number,
): Promise<Float32Array[]> {
  const { config } = model;
  const decoder = compiledDecoder(config, context.threads);
  const length = windows[0]!.length;
  const surroundings = sequenceSurroundings(config, length);
  const tables = await readEmbedding(model);
  const rows = Math.min(batch, windows.length);
  const perPass = Math.max(1, Math.floor(hiddenBytes / (4 * length * config.hiddenSize)));
  const passes = chunks(windows, Math.max(rows, perPass - (perPass % rows)));
  const batches = passes.map((pass) => chunks(pass, rows));
  const total = batches.flat().length * (config.layers + 1);
  let done = 0;
  const step = (label: string): void => {
    throwIfCancelled(context.signal);
    context.progress({ done: done++, total, label });
  };
  const scores: Float32Array[] = [];
  for (const pass of batches) {
    const inputs = pass.map((part) => padded(ids, part, rows, length));
    const hidden = inputs.map((input) => embedTokens(tables, input));
    for (let layer = 0; layer < config.layers; layer++) {
      const parameters = await readBlock(model, layer);
      for (const [index, state] of hidden.entries()) {
        step(`layer ${layer + 1} of ${config.layers}`);
        const result = await decoder.block(parameters, state, surroundings);
        hidden[index] = result.hidden;
      }
    }
    const parameters = await readHead(model);
    for (const [index, state] of hidden.entries()) {
      step('scores');
      const targets = inputs[index]!.flatMap((row) => [...row.subarray(1), 0]);
      const all = await scoreRows(
        decoder,
        parameters,
        state,
        targets,
        config.vocabularySize,
      );
      for (let row = 0; row < pass[index]!.length; row++) {
        scores.push(all.subarray(row * length, row * length + length - 1));
      }
    }
  }
  context.progress({ done: total, total, label: 'perplexity' });
  return scores;
}

/** A batch of windows of one length: short windows and missing rows are filled with token 0. */
function padded(
  ids: readonly number[],
  windows: readonly Window[],
  rows: number,
  length: number,
): Int32Array[] {
  return Array.from({ length: rows }, (_, row) => {
    const filled = new Int32Array(length);
    const window = windows[row];
    // Attention is causal: what stands behind a token does not change its score.
    if (window) filled.set(ids.slice(window.start, window.start + window.length));
    return filled;
  });
}

/** Scores of all rows of a hidden state, in pieces whose logits stay below 256 MB. */
async function scoreRows(
  decoder: CompiledDecoder,
  parameters: Record<string, Tensor>,
  hidden: Tensor,
  targets: readonly number[],
  vocabularySize: number,
): Promise<Float32Array> {
  const [batch = 0, length = 0, features = 0] = hidden.shape;
  const rows = batch * length;
  const piece = Math.min(rows, Math.max(1, Math.floor(2 ** 26 / vocabularySize)));
  const scores = new Float32Array(rows);
  for (let start = 0; start < rows; start += piece) {
    const count = Math.min(piece, rows - start);
    const part = float32([1, piece, features]);
    part.data.set(hidden.data.subarray(start * features, (start + count) * features));
    const wanted = int32([1, piece]);
    wanted.data.set(targets.slice(start, start + count));
    const result = await decoder.score(parameters, part, wanted);
    scores.set(result.data.subarray(0, count), start);
  }
  return scores;
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let start = 0; start < items.length; start += size) {
    parts.push(items.slice(start, start + size));
  }
  return parts;
}
