/** What quantizing a model will cost, from its sizes alone. */

import { parameterCount } from '../nn/decoder/parameters.ts';
import type { LanguageModelConfig } from '../nn/model.ts';
import type { Estimate } from '../nouns/method.ts';
import type { ModelLayer } from './layers.ts';

/** Weights of the layers. */
export function weightCount(layers: readonly ModelLayer[]): number {
  return layers.reduce((sum, layer) => sum + layer.inFeatures * layer.outFeatures, 0);
}

/**
 * Cost of work that is proportional to the weights: `secondsPerWeight` for each quantized
 * one; memory for the result (codes of one byte, other parameters of four) and one matrix.
 */
export function weightWork(
  config: LanguageModelConfig,
  layers: readonly ModelLayer[],
  secondsPerWeight: number,
): Estimate {
  const weights = weightCount(layers);
  const largest = Math.max(
    ...layers.map((layer) => layer.inFeatures * layer.outFeatures),
  );
  const rest = parameterCount(config) - weights;
  return {
    seconds: 0.05 + weights * secondsPerWeight + parameterCount(config) * 4e-9,
    bytes: Math.ceil(weights * 1.2 + rest * 8 + largest * 12),
  };
}

/** Floating-point operations of one forward pass of the blocks over so many tokens. */
export function forwardOperations(
  config: LanguageModelConfig,
  layers: readonly ModelLayer[],
  samples: number,
  length: number,
): number {
  const attention = 4 * config.layers * config.heads * config.headSize * length;
  return samples * length * (2 * weightCount(layers) + attention);
}
