/** Random parameters of a new decoder. */

import { createRandom, splitRandom } from '../array/random.ts';
import { float32, type Tensor } from '../array/tensor.ts';
import { linearLayers } from '../nn/decoder/linear-layers.ts';
import { blockPrefix, parameterShapes } from '../nn/decoder/parameters.ts';
import type { LanguageModelConfig } from '../nn/model.ts';

const embeddingDeviation = 0.02;
/** Deviation of a weight times the square root of its inputs: 0.02 at 768 inputs. */
const linearGain = 0.55;

/**
 * Normal weights: deviation 0.02 for embeddings, `0.55 / sqrt(inFeatures)` for linear layers,
 * divided by `sqrt(2 * layers)` where a layer adds to the residual stream (GPT-2's rule);
 * norms 1, biases 0. Each tensor has a stream of its own, derived from the seed and its name.
 */
export function initialParameters(
  config: LanguageModelConfig,
  seed: number,
): Record<string, Tensor> {
  const deviations = new Map<string, number>();
  for (let layer = 0; layer < config.layers; layer++) {
    for (const { name, kind, inFeatures } of linearLayers(config)) {
      const residual = kind === 'output' || kind === 'down';
      const depth = residual ? Math.sqrt(2 * config.layers) : 1;
      const deviation = linearGain / Math.sqrt(inFeatures) / depth;
      deviations.set(blockPrefix(config, layer) + name, deviation);
    }
  }
  const parameters: Record<string, Tensor> = {};
  for (const [name, shape] of Object.entries(parameterShapes(config))) {
    const tensor = float32(shape);
    if (shape.length === 1) {
      if (name.endsWith('.weight')) tensor.data.fill(1);
    } else {
      const random = createRandom(splitRandom(seed, `parameter ${name}`));
      const deviation = deviations.get(name) ?? embeddingDeviation;
      for (let index = 0; index < tensor.data.length; index++) {
        tensor.data[index] = deviation * random.normal();
      }
    }
    parameters[name] = tensor;
  }
  return parameters;
}

/** Names of the parameters that weight decay pulls to zero: the linear layers' weights. */
export function decayedParameters(config: LanguageModelConfig): ReadonlySet<string> {
  const names = new Set<string>();
  for (let layer = 0; layer < config.layers; layer++) {
    for (const { name } of linearLayers(config))
      names.add(blockPrefix(config, layer) + name);
  }
  return names;
}
