/** How fast a model decodes on this machine: tokens a second, after warming up. */

import { createRandom } from '../../array/random.ts';
import { InvalidInputError, throwIfCancelled } from '../../error.ts';
import { type DecoderOptions, openDecoder } from './decode.ts';
import type { ExportableModel } from './source.ts';

export interface SpeedOptions extends DecoderOptions {
  /** Tokens read at once before decoding starts (default 32, or half of the context). */
  readonly promptLength?: number;
  /** Tokens decoded one by one in each repeat (default 32, or half of the context). */
  readonly steps?: number;
  /** Fewest repeats (default 5); one more is run first and not counted. */
  readonly repeats?: number;
  /** Repeats go on until they have taken so long together (default 0.3). */
  readonly minimumSeconds?: number;
}

export interface DecodeSpeed {
  /** Decoding one token after the other. */
  readonly tokensPerSecond: number;
  /** Reading a prompt. */
  readonly prefillTokensPerSecond: number;
}

// Enough for any median; keeps a tiny model from repeating for ever.
const mostRepeats = 200;

/**
 * Measures a float or quantized model through ONNX Runtime, one sequence at a time: the
 * median time of a decoding step over all repeats, and of reading a prompt. Medians leave out
 * the moments that the machine gave to others. Throws `InvalidInputError` when prompt and
 * steps exceed the context.
 */
export async function measureDecodeSpeed(
  model: ExportableModel,
  options: SpeedOptions = {},
): Promise<DecodeSpeed> {
  const { config } = model;
  const usual = Math.max(1, Math.min(32, Math.floor(config.contextLength / 2)));
  const { promptLength = usual, steps = usual, repeats = 5, signal, ...rest } = options;
  const { minimumSeconds = 0.3, ...decoderOptions } = rest;
  for (const [name, value] of Object.entries({ promptLength, steps, repeats })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new InvalidInputError(name, 'a positive integer', `${value}`);
    }
  }
  if (promptLength + steps > config.contextLength) {
    throw new InvalidInputError(
      'promptLength + steps',
      `at most the context of ${config.contextLength} tokens`,
      `${promptLength + steps}`,
    );
  }
  const random = createRandom(0);
  const token = (): number => random.integer(config.vocabularySize);
  const prompt = Array.from({ length: promptLength }, token);
  const followers = Array.from({ length: steps }, token);
  const decoder = await openDecoder(model, { ...decoderOptions, signal });
  const prefills: number[] = [];
  const decodes: number[] = [];
  const timed = async (ids: readonly number[], times: number[]): Promise<void> => {
    throwIfCancelled(signal);
    const started = performance.now();
    await decoder.append(ids);
    times.push(performance.now() - started);
  };
  try {
    let started = performance.now();
    const unfinished = (): boolean =>
      prefills.length < repeats ||
      (performance.now() - started < 1000 * minimumSeconds &&
        prefills.length < mostRepeats);
    for (let warm = false; unfinished(); ) {
      decoder.rewind();
      await timed(prompt, prefills);
      for (const follower of followers) await timed([follower], decodes);
      if (warm) continue;
      warm = true;
      prefills.length = 0;
      decodes.length = 0;
      started = performance.now();
    }
  } finally {
    await decoder.release();
  }
  return {
    tokensPerSecond: 1000 / median(decodes),
    prefillTokensPerSecond: (1000 * promptLength) / median(prefills),
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? sorted[middle]!
    : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
