/** Which linear layers of a model are quantized, and how their weights share scales. */

import type { Grouping } from '../array/quantizer/matrix.ts';
import { groupSizeOf } from '../array/quantizer/matrix.ts';
import { InvalidInputError } from '../error.ts';
import { type LinearLayer, linearLayers } from '../nn/decoder/linear-layers.ts';
import { blockPrefix } from '../nn/decoder/parameters.ts';
import type { LanguageModelConfig } from '../nn/model.ts';

/** One linear layer of a model: `name` is its parameter's full name. */
export interface ModelLayer extends LinearLayer {
  readonly block: number;
  /** Name inside its block. */
  readonly local: string;
}

/**
 * Linear layers of all blocks whose names contain one of the comma-separated words; all of
 * them for an empty pattern. Embeddings and the output head are never among them.
 */
export function selectLayers(config: LanguageModelConfig, pattern: string): ModelLayer[] {
  const words = pattern
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  const found: ModelLayer[] = [];
  for (let block = 0; block < config.layers; block++) {
    const prefix = blockPrefix(config, block);
    for (const layer of linearLayers(config)) {
      const name = prefix + layer.name;
      if (words.length === 0 || words.some((word) => name.includes(word))) {
        found.push({ ...layer, name, local: layer.name, block });
      }
    }
  }
  if (found.length === 0) {
    const known = linearLayers(config).map((layer) => layer.name);
    throw new InvalidInputError(
      'layers',
      `words that occur in names of linear layers (${known.join(', ')})`,
      JSON.stringify(pattern),
    );
  }
  return found;
}

/** Group sizes that every file format and kernel knows, the best for memory first. */
const usualGroups = [128, 64, 32] as const;

/**
 * A group size that divides the inputs of every layer: the largest of 128, 64 and 32, or
 * -1, one group a row, where none does.
 */
export function automaticGroupSize(layers: readonly { inFeatures: number }[]): number {
  const divides = (size: number) =>
    layers.every((layer) => layer.inFeatures % size === 0);
  return usualGroups.find(divides) ?? -1;
}

/**
 * Grouping for the layers: 0 stands for the automatic size. Throws when a group does not
 * divide the inputs of a layer, naming it.
 */
export function groupingFor(
  layers: readonly ModelLayer[],
  granularity: 'per-tensor' | 'per-channel' | 'group',
  groupSize: number,
): Grouping {
  if (granularity === 'per-tensor') return 'tensor';
  if (granularity === 'per-channel') return 'row';
  const size = groupSize === 0 ? automaticGroupSize(layers) : groupSize;
  for (const layer of layers) groupSizeOf(size, layer.inFeatures, layer.name);
  return size === -1 ? 'row' : size;
}
