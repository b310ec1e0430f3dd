/** How fast a model decodes on this machine: tokens a second, after warming up. */

import { createRandom } from '../../array/random.ts';
import { InvalidInputError, throwIfCancelled } from '../../error.ts';
import { type DecoderOptions, openDecoder } from './decode.ts';
import type { ExportableModel } from './source.ts';

export interface SpeedOptions extends DecoderOptions {
  /** Tokens read at once before decoding starts (default 32). */
  readonly promptLength?: number;
  /** Tokens decoded one by one in each repeat (default 32). */
  readonly steps?: number;
  /** Repeats, of which the median counts (default 5); one more is run first and not counted. */
  readonly repeats?: number;
}

export interface DecodeSpeed {
  /** Decoding one token after the other. */
  readonly tokensPerSecond: number;
  /** Reading a prompt. */
  readonly prefillTokensPerSecond: number;
}

/**
 * Measures a float or quantized model through ONNX Runtime: medians over repeats, one
 * sequence at a time. Throws `InvalidInputError` when prompt and steps exceed the context.
 */
export async function measureDecodeSpeed(
  model: ExportableModel,
  options: SpeedOptions = {},
): Promise<DecodeSpeed> {
  const { config } = model;
  const { promptLength = 32, steps = 32, repeats = 5, signal, ...rest } = options;
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
  const decoder = await openDecoder(model, { ...rest, signal });
  const prefills: number[] = [];
  const decodes: number[] = [];
  try {
    for (let repeat = 0; repeat <= repeats; repeat++) {
      decoder.rewind();
      const started = performance.now();
      await decoder.append(prompt);
      const read = performance.now();
      for (const follower of followers) {
        throwIfCancelled(signal);
        await decoder.append([follower]);
      }
      const finished = performance.now();
      if (repeat === 0) continue;
      prefills.push((read - started) / promptLength);
      decodes.push((finished - read) / steps);
    }
  } finally {
    await decoder.release();
  }
  return {
    tokensPerSecond: 1000 / median(decodes),
    prefillTokensPerSecond: 1000 / median(prefills),
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? sorted[middle]!
    : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
