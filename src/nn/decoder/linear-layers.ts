/** The linear layers of a block and the places that can absorb a scale of their inputs, as data. */

import type { LanguageModelConfig } from '../model.ts';

/**
 * Inputs of linear layers inside a block: the normed hidden state before attention, the
 * attended values, the normed hidden state before the feed-forward part, its activations.
 */
export type TapName = 'attentionInput' | 'attended' | 'feedForwardInput' | 'activated';

export type LinearKind =
  | 'query'
  | 'key'
  | 'value'
  | 'query-key-value'
  | 'output'
  | 'gate'
  | 'up'
  | 'down';

/** One linear layer of a block. Names are local to the block. */
export interface LinearLayer {
  /** Name of the weight, `[outFeatures, inFeatures]`. */
  readonly name: string;
  readonly bias: string | null;
  readonly kind: LinearKind;
  readonly tap: TapName;
  readonly outFeatures: number;
  readonly inFeatures: number;
  /** Files of this family hold the weight as `[inFeatures, outFeatures]`. */
  readonly storedTransposed: boolean;
}

/** What can take up the inverse of a scale put on a tap. */
export type Absorber =
  | { readonly kind: 'norm'; readonly weight: string; readonly bias: string | null }
  | {
      readonly kind: 'linear';
      readonly weight: string;
      readonly bias: string | null;
      /** First output row that feeds the tap: later rows of a fused matrix only. */
      readonly firstRow: number;
    };

/** Linear layers that share one input, and what can absorb a scale of that input. */
export interface FoldGroup {
  readonly tap: TapName;
  /** Local names of the weights, all reading the tap. */
  readonly layers: readonly string[];
  /** Null where nothing before the tap commutes with a scale (GELU, unequal heads). */
  readonly absorber: Absorber | null;
  /** The part of the block whose output shows the effect: a module or the layer itself. */
  readonly inspect: 'attention' | 'feedForward' | 'linear';
}

/** Linear layers of a block in the order they run. */
export function linearLayers(config: LanguageModelConfig): readonly LinearLayer[] {
  const { hiddenSize, intermediateSize } = config;
  const queries = config.heads * config.headSize;
  const keys = config.keyValueHeads * config.headSize;
  const layer = (
    name: string,
    kind: LinearKind,
    tap: TapName,
    sizes: readonly [outFeatures: number, inFeatures: number],
    biased: boolean,
  ): LinearLayer => ({
    name: `${name}.weight`,
    bias: biased ? `${name}.bias` : null,
    kind,
    tap,
    outFeatures: sizes[0],
    inFeatures: sizes[1],
    storedTransposed: config.family === 'gpt2',
  });
  if (config.family === 'gpt2') {
    return [
      layer(
        'attn.c_attn',
        'query-key-value',
        'attentionInput',
        [queries + 2 * keys, hiddenSize],
        true,
      ),
      layer('attn.c_proj', 'output', 'attended', [hiddenSize, queries], true),
      layer('mlp.c_fc', 'up', 'feedForwardInput', [intermediateSize, hiddenSize], true),
      layer('mlp.c_proj', 'down', 'activated', [hiddenSize, intermediateSize], true),
    ];
  }
  const biased = config.queryKeyValueBias;
  return [
    layer('self_attn.q_proj', 'query', 'attentionInput', [queries, hiddenSize], biased),
    layer('self_attn.k_proj', 'key', 'attentionInput', [keys, hiddenSize], biased),
    layer('self_attn.v_proj', 'value', 'attentionInput', [keys, hiddenSize], biased),
    layer(
      'self_attn.o_proj',
      'output',
      'attended',
      [hiddenSize, queries],
      config.outputBias,
    ),
    layer(
      'mlp.gate_proj',
      'gate',
      'feedForwardInput',
      [intermediateSize, hiddenSize],
      false,
    ),
    layer('mlp.up_proj', 'up', 'feedForwardInput', [intermediateSize, hiddenSize], false),
    layer('mlp.down_proj', 'down', 'activated', [hiddenSize, intermediateSize], false),
  ];
}

/**
 * Groups of layers that must be scaled together (AWQ, arXiv 2306.00978, section 3.2).
 * A scale of the attended values folds into the value rows only where every query head has
 * its own value head; a gated product folds into its linear factor; GELU absorbs nothing.
 */
export function foldGroups(config: LanguageModelConfig): readonly FoldGroup[] {
  if (config.family === 'gpt2') {
    const queries = config.heads * config.headSize;
    return [
      {
        tap: 'attentionInput',
        layers: ['attn.c_attn.weight'],
        absorber: { kind: 'norm', weight: 'ln_1.weight', bias: 'ln_1.bias' },
        inspect: 'attention',
      },
      {
        tap: 'attended',
        layers: ['attn.c_proj.weight'],
        absorber: {
          kind: 'linear',
          weight: 'attn.c_attn.weight',
          bias: 'attn.c_attn.bias',
          firstRow: 2 * queries,
        },
        inspect: 'linear',
      },
      {
        tap: 'feedForwardInput',
        layers: ['mlp.c_fc.weight'],
        absorber: { kind: 'norm', weight: 'ln_2.weight', bias: 'ln_2.bias' },
        inspect: 'linear',
      },
      {
        tap: 'activated',
        layers: ['mlp.c_proj.weight'],
        absorber: null,
        inspect: 'linear',
      },
    ];
  }
  const equalHeads =
    config.heads === config.keyValueHeads &&
    config.heads * config.headSize === config.hiddenSize;
  return [
    {
      tap: 'attentionInput',
      layers: [
        'self_attn.q_proj.weight',
        'self_attn.k_proj.weight',
        'self_attn.v_proj.weight',
      ],
      absorber: { kind: 'norm', weight: 'input_layernorm.weight', bias: null },
      inspect: 'attention',
    },
    {
      tap: 'attended',
      layers: ['self_attn.o_proj.weight'],
      absorber: equalHeads
        ? {
            kind: 'linear',
            weight: 'self_attn.v_proj.weight',
            bias: config.queryKeyValueBias ? 'self_attn.v_proj.bias' : null,
            firstRow: 0,
          }
        : null,
      inspect: 'linear',
    },
    {
      tap: 'feedForwardInput',
      layers: ['mlp.gate_proj.weight', 'mlp.up_proj.weight'],
      absorber: { kind: 'norm', weight: 'post_attention_layernorm.weight', bias: null },
      inspect: 'feedForward',
    },
    {
      tap: 'activated',
      layers: ['mlp.down_proj.weight'],
      absorber: { kind: 'linear', weight: 'mlp.up_proj.weight', bias: null, firstRow: 0 },
      inspect: 'linear',
    },
  ];
}
