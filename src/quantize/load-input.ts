/** Opens what the user points at: a model, a calibration text and an evaluation text. */

import { z } from 'zod';
import { int32 } from '../array/tensor.ts';
import { installedText } from '../data/installed-text.ts';
import { readText, type TextDocument } from '../data/text.ts';
import type { Tokenizer } from '../data/tokenizer.ts';
import { InvalidInputError } from '../error.ts';
import { loadLanguageModel } from '../nn/load.ts';
import type { LanguageModel } from '../nn/model.ts';
import { resolveModelPath } from '../nn/shipped.ts';
import type { RunContext } from '../nouns/run.ts';
import type { QuantizeInput } from './input.ts';

export const quantizeInputs = z.object({
  model: z
    .string()
    .default('nano')
    .describe(
      'Directory of a Hugging Face language model, a llama2.c checkpoint, or "nano", the ' +
        'small model that ships with Assay.',
    ),
  calibration: z
    .string()
    .default('')
    .describe(
      'Text that methods may look at: a file, JSON lines or a directory; empty takes the ' +
        'training part of the text that came with the installed packages.',
    )
    .meta({ title: 'Calibration text' }),
  eval: z
    .string()
    .default('')
    .describe(
      'Text that perplexity is measured on; empty takes the held-out part of the ' +
        'installed text.',
    )
    .meta({ title: 'Evaluation text' }),
  calibrationSamples: z
    .int()
    .min(1)
    .max(4096)
    .default(64)
    .describe('Calibration sequences, taken from places spread over the text.'),
  sequenceLength: z
    .int()
    .min(2)
    .max(65_536)
    .default(128)
    .describe('Tokens of a calibration sequence; at most the context of the model.'),
  evalTokens: z
    .int()
    .min(16)
    .max(10_000_000)
    .default(16_384)
    .describe('Most tokens that perplexity is measured on, spread over the text.')
    .meta({ title: 'Evaluation tokens' }),
});

export type QuantizeInputs = z.output<typeof quantizeInputs>;

/** Pieces that a long evaluation text is sampled in. */
const evaluationPieces = 8;

/** Opens the model and turns the texts into tokens. */
export async function loadInput(
  inputs: QuantizeInputs,
  context: RunContext,
): Promise<QuantizeInput> {
  const { signal } = context;
  const model = await loadLanguageModel(resolveModelPath(inputs.model), signal);
  const calibration = inputs.calibration
    ? await readText(inputs.calibration, { signal })
    : await installedText({ split: 'train' });
  const evaluation = inputs.eval
    ? await readText(inputs.eval, { signal })
    : await installedText({ split: 'held-out' });
  const { calibrationSamples: samples } = inputs;
  const length = Math.min(inputs.sequenceLength, model.config.contextLength);
  const calibrationTokens = takeTokens(
    model,
    calibration.documents,
    samples * length,
    samples,
  );
  if (calibrationTokens.length < samples * length) {
    throw new InvalidInputError(
      'calibration',
      `a text of at least ${samples * length} tokens (${samples} samples of ${length}); ` +
        'lower calibrationSamples or sequenceLength',
      `${calibrationTokens.length} tokens`,
    );
  }
  const evaluationTokens = takeTokens(
    model,
    evaluation.documents,
    inputs.evalTokens,
    evaluationPieces,
  );
  if (evaluationTokens.length < 2) {
    throw new InvalidInputError('eval', 'a text of at least 2 tokens', 'less');
  }
  return {
    model,
    calibrationTokens: int32([samples, length], calibrationTokens),
    evaluationTokens,
  };
}

/**
 * Up to `count` tokens: of the beginning of a short text, or in `pieces` from places spread
 * evenly over a long one. Documents are ended by the end token where the model has one.
 */
export function takeTokens(
  model: LanguageModel,
  documents: readonly TextDocument[],
  count: number,
  pieces: number,
): Int32Array {
  const { tokenizer } = model;
  if (!tokenizer) {
    throw new InvalidInputError('model', 'a model with a tokenizer', 'none');
  }
  const end = model.config.endToken;
  const total = documents.reduce((sum, document) => sum + document.text.length, 0);
  if (total <= 8 * count) {
    return Int32Array.from(tokensFrom(documents, 0, count, tokenizer, end));
  }
  const tokens = new Int32Array(count);
  let filled = 0;
  for (let piece = 0; piece < pieces; piece++) {
    const wanted = Math.floor((count * (piece + 1)) / pieces) - filled;
    const start = Math.floor((total * piece) / pieces);
    const found = tokensFrom(documents, start, wanted, tokenizer, end);
    tokens.set(found, filled);
    filled += found.length;
  }
  return tokens.subarray(0, filled);
}

/** The first `wanted` tokens from a character position in the documents laid end to end. */
function tokensFrom(
  documents: readonly TextDocument[],
  start: number,
  wanted: number,
  tokenizer: Tokenizer,
  end: number | null,
): number[] {
  const tokens: number[] = [];
  let skipped = 0;
  for (const { text } of documents) {
    const offset = Math.max(0, start - skipped);
    skipped += text.length;
    if (offset >= text.length) continue;
    // Begin a line, as the tokenizer would see it within the whole text.
    const line = offset === 0 ? 0 : text.indexOf('\n', offset) + 1;
    const from = offset > 0 && line === 0 ? offset : line;
    const most = (wanted - tokens.length) * 16 + 64;
    const part = text.slice(from, from + most);
    const ids = tokenizer.encode(part);
    for (const id of ids) tokens.push(id);
    if (from + most >= text.length && end !== null) tokens.push(end);
    if (tokens.length >= wanted) break;
  }
  return tokens.slice(0, wanted);
}
