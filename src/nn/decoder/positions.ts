/** Rotary angles and attention masks, computed on the host and fed to every block. */

import { float32, type Tensor } from '../../array/tensor.ts';
import { InvalidInputError } from '../../error.ts';
import type { LanguageModelConfig } from '../model.ts';

/** Added to a score that must not count: its exponential is exactly 0 in float32. */
const excluded = -1e30;

/** Inputs of a block beside the hidden state, by name: `mask` and, if rotary, the angles. */
export type Surroundings = Record<string, Tensor>;

/**
 * Angle per position of each rotary pair, `[headSize / 2]` (RoFormer, arXiv 2104.09864,
 * section 3.2.2; the `llama3` scaling keeps fast frequencies, divides slow ones by the
 * factor and blends in between).
 */
export function rotaryFrequencies(config: LanguageModelConfig): Float64Array {
  const pairs = config.headSize / 2;
  const scaling = config.ropeScaling ?? null;
  const frequencies = new Float64Array(pairs);
  for (let pair = 0; pair < pairs; pair++) {
    const base = config.ropeTheta ** -(pair / pairs);
    frequencies[pair] = base;
    if (scaling?.type === 'linear') frequencies[pair] = base / scaling.factor;
    if (scaling?.type === 'llama3') {
      const turns = (scaling.originalContextLength * base) / (2 * Math.PI);
      const { lowFrequencyFactor: low, highFrequencyFactor: high, factor } = scaling;
      const share = Math.min(1, Math.max(0, (turns - low) / (high - low)));
      frequencies[pair] = base * (share + (1 - share) / factor);
    }
  }
  return frequencies;
}

/** Cosines and sines of positions `first .. first + count - 1`, each `[count, headSize / 2]`. */
export function rotaryAngles(
  config: LanguageModelConfig,
  first: number,
  count: number,
): { readonly cosine: Tensor; readonly sine: Tensor } {
  const frequencies = rotaryFrequencies(config);
  const cosine = new Float32Array(count * frequencies.length);
  const sine = new Float32Array(count * frequencies.length);
  for (let row = 0; row < count; row++) {
    frequencies.forEach((frequency, pair) => {
      const angle = (first + row) * frequency;
      cosine[row * frequencies.length + pair] = Math.cos(angle);
      sine[row * frequencies.length + pair] = Math.sin(angle);
    });
  }
  const shape = [count, frequencies.length];
  return { cosine: float32(shape, cosine), sine: float32(shape, sine) };
}

/** Whether a query position sees a key position: the past, within the sliding window. */
export function sees(config: LanguageModelConfig, query: number, key: number): boolean {
  if (key > query) return false;
  const window = config.slidingWindow ?? null;
  return window === null || key > query - window;
}

/** Surroundings of a whole sequence from position 0: mask `[length, length]` and angles. */
export function sequenceSurroundings(
  config: LanguageModelConfig,
  length: number,
): Surroundings {
  checkLength(config, length);
  const mask = new Float32Array(length * length);
  for (let query = 0; query < length; query++) {
    for (let key = 0; key < length; key++) {
      if (!sees(config, query, key)) mask[query * length + key] = excluded;
    }
  }
  return {
    mask: float32([length, length], mask),
    ...(config.positions === 'rotary' ? rotaryAngles(config, 0, length) : {}),
  };
}

/**
 * Surroundings of one new token at `position`, whose keys stand behind `capacity` cached
 * slots of which the first `position` are filled: mask `[1, capacity + 1]` and angles.
 */
export function stepSurroundings(
  config: LanguageModelConfig,
  position: number,
  capacity: number,
): Surroundings {
  checkLength(config, position + 1);
  const mask = new Float32Array(capacity + 1);
  for (let key = 0; key < capacity; key++) {
    if (key >= position || !sees(config, position, key)) mask[key] = excluded;
  }
  return {
    mask: float32([1, capacity + 1], mask),
    ...(config.positions === 'rotary' ? rotaryAngles(config, position, 1) : {}),
  };
}

function checkLength(config: LanguageModelConfig, length: number): void {
  if (config.positions === 'learned' && length > config.contextLength) {
    throw new InvalidInputError(
      'length',
      `at most ${config.contextLength} tokens, the learned positions of the model`,
      `${length}`,
    );
  }
}
