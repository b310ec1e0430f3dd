/** Changes of a model's parameters that leave its function as it is. */

import { createRandom, splitRandom } from '../array/random.ts';
import { float32, type Tensor } from '../array/tensor.ts';
import { InvalidInputError } from '../error.ts';
import { sha256 } from '../format/hash.ts';
import { foldGroups } from './decoder/linear-layers.ts';
import { blockPrefix } from './decoder/parameters.ts';
import type { LanguageModel } from './model.ts';

export interface OutlierOptions {
  /** Channels that become outliers at each norm of a block. */
  readonly channels?: number;
  /** What their activations are multiplied by. */
  readonly factor?: number;
  readonly seed: number;
}

/** Factors by channel on the entries of a norm or on the columns of a weight. */
type Scales = ReadonlyMap<number, number>;

/**
 * The outlier twin of a model: the same function, but at each norm inside the blocks a few
 * random channels are `factor` times as large (norm weight and bias multiplied), and the
 * columns of the linear layers that read them as much smaller. Large language models have
 * such channels by themselves (arXiv 2208.07339, section 3); a small one suffers from
 * rounding like a large one only with them. Parameters are changed as they are read.
 *
 * @throws InvalidInputError for more channels than the hidden size or a factor not above 0.
 */
export function outlierTwin(
  model: LanguageModel,
  options: OutlierOptions,
): LanguageModel {
  const { channels = 2, factor = 30, seed } = options;
  const { config, parameters } = model;
  if (!Number.isInteger(channels) || channels < 0 || channels > config.hiddenSize) {
    const expected = `a whole number from 0 to the hidden size ${config.hiddenSize}`;
    throw new InvalidInputError('channels', expected, `${channels}`);
  }
  if (!(factor > 0 && Number.isFinite(factor))) {
    throw new InvalidInputError('factor', 'a number above 0', `${factor}`);
  }
  const scales = new Map<string, Scales>();
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = blockPrefix(config, layer);
    for (const { absorber, layers } of foldGroups(config)) {
      if (absorber?.kind !== 'norm') continue;
      const norm = prefix + absorber.weight;
      const chosen = draw(config.hiddenSize, channels, splitRandom(seed, norm));
      const grown = new Map(chosen.map((channel) => [channel, factor]));
      const shrunk = new Map(chosen.map((channel) => [channel, 1 / factor]));
      scales.set(norm, grown);
      if (absorber.bias !== null) scales.set(prefix + absorber.bias, grown);
      for (const name of layers) scales.set(prefix + name, shrunk);
    }
  }
  return {
    ...model,
    name: `${model.name}-outliers`,
    fingerprint: sha256(
      JSON.stringify([model.fingerprint, 'outliers', channels, factor, seed]),
    ),
    parameters: {
      names: parameters.names,
      describe: parameters.describe,
      read: async (name) => {
        const tensor = await parameters.read(name);
        const own = scales.get(name);
        return own ? scaleColumns(tensor, own) : tensor;
      },
    },
  };
}

/** `count` different numbers below `size`, in ascending order. */
function draw(size: number, count: number, seed: number): number[] {
  const order = createRandom(seed).shuffle(
    Int32Array.from({ length: size }, (_, index) => index),
  );
  return [...order.subarray(0, count)].sort((a, b) => a - b);
}

/** The tensor with entries of its last axis multiplied. */
function scaleColumns(tensor: Tensor, scales: Scales): Tensor {
  const columns = tensor.shape.at(-1) ?? 1;
  const data = tensor.data.slice();
  for (const [column, scale] of scales) {
    for (let index = column; index < data.length; index += columns) data[index]! *= scale;
  }
  return float32(tensor.shape, data);
}
