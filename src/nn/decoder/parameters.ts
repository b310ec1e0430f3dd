/** Names and shapes of a decoder's parameters, as Hugging Face files write them. */

import type { Shape } from '../../array/tensor.ts';
import { InvalidInputError } from '../../error.ts';
import type { LanguageModelConfig } from '../model.ts';
import { linearLayers } from './linear-layers.ts';

/** Where the parameters outside the blocks are found. */
export interface ParameterNames {
  readonly embedding: string;
  /** Learned positions, `[contextLength, hiddenSize]`; null for rotary positions. */
  readonly positions: string | null;
  readonly finalNorm: string;
  readonly finalNormBias: string | null;
  /** The embedding's name when the head is tied. */
  readonly head: string;
}

/** Names of the parameters outside the blocks. */
export function parameterNames(config: LanguageModelConfig): ParameterNames {
  if (config.family === 'gpt2') {
    const embedding = 'transformer.wte.weight';
    return {
      embedding,
      positions: 'transformer.wpe.weight',
      finalNorm: 'transformer.ln_f.weight',
      finalNormBias: 'transformer.ln_f.bias',
      head: config.tiedHead ? embedding : 'lm_head.weight',
    };
  }
  const embedding = 'model.embed_tokens.weight';
  return {
    embedding,
    positions: null,
    finalNorm: 'model.norm.weight',
    finalNormBias: null,
    head: config.tiedHead ? embedding : 'lm_head.weight',
  };
}

/** What stands before a block's local names: `model.layers.3.`. */
export function blockPrefix(config: LanguageModelConfig, layer: number): string {
  if (!Number.isInteger(layer) || layer < 0 || layer >= config.layers) {
    throw new InvalidInputError('layer', `0 to ${config.layers - 1}`, `${layer}`);
  }
  return config.family === 'gpt2' ? `transformer.h.${layer}.` : `model.layers.${layer}.`;
}

/** Local names of the norms of a block: before attention and before the feed-forward part. */
export function blockNorms(config: LanguageModelConfig): {
  readonly attention: { readonly weight: string; readonly bias: string | null };
  readonly feedForward: { readonly weight: string; readonly bias: string | null };
} {
  if (config.family === 'gpt2') {
    return {
      attention: { weight: 'ln_1.weight', bias: 'ln_1.bias' },
      feedForward: { weight: 'ln_2.weight', bias: 'ln_2.bias' },
    };
  }
  return {
    attention: { weight: 'input_layernorm.weight', bias: null },
    feedForward: { weight: 'post_attention_layernorm.weight', bias: null },
  };
}

/** Shapes of one block's parameters by local name; linear weights are `[out, in]`. */
export function blockShapes(config: LanguageModelConfig): Record<string, Shape> {
  const shapes: Record<string, Shape> = {};
  const norms = blockNorms(config);
  for (const norm of [norms.attention, norms.feedForward]) {
    shapes[norm.weight] = [config.hiddenSize];
    if (norm.bias !== null) shapes[norm.bias] = [config.hiddenSize];
  }
  for (const layer of linearLayers(config)) {
    shapes[layer.name] = [layer.outFeatures, layer.inFeatures];
    if (layer.bias !== null) shapes[layer.bias] = [layer.outFeatures];
  }
  if (config.queryKeyNorm) {
    shapes['self_attn.q_norm.weight'] = [config.headSize];
    shapes['self_attn.k_norm.weight'] = [config.headSize];
  }
  return shapes;
}

/** Shapes of every parameter by full name, in the order a file is written. */
export function parameterShapes(config: LanguageModelConfig): Record<string, Shape> {
  const names = parameterNames(config);
  const shapes: Record<string, Shape> = {
    [names.embedding]: [config.vocabularySize, config.hiddenSize],
  };
  if (names.positions !== null) {
    shapes[names.positions] = [config.contextLength, config.hiddenSize];
  }
  const local = blockShapes(config);
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = blockPrefix(config, layer);
    for (const [name, shape] of Object.entries(local)) shapes[prefix + name] = shape;
  }
  shapes[names.finalNorm] = [config.hiddenSize];
  if (names.finalNormBias !== null) shapes[names.finalNormBias] = [config.hiddenSize];
  if (!config.tiedHead) shapes[names.head] = [config.vocabularySize, config.hiddenSize];
  return shapes;
}

/** Number of parameters, a tied head counted once. */
export function parameterCount(config: LanguageModelConfig): number {
  let count = 0;
  for (const shape of Object.values(parameterShapes(config))) {
    count += shape.reduce((product, size) => product * size, 1);
  }
  return count;
}
