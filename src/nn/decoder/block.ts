/** One transformer block as a pure function of its parameters under local names. */

import { numpy as np } from '../../array/jax.ts';
import type { LanguageModelConfig } from '../model.ts';
import {
  attend,
  geluTanh,
  joinHeads,
  layerNorm,
  linear,
  rmsNorm,
  rotate,
  silu,
  splitHeads,
  type Traced,
} from './functions.ts';
import type { TapName } from './linear-layers.ts';
import { blockNorms } from './parameters.ts';

export type TracedRecord = Record<string, Traced>;

/** Keys and values of earlier positions, `[batch, keyValueHeads, slots, headSize]`. */
export type Past = { keys: Traced; values: Traced };

/** What a block may return beside its hidden state. */
export interface BlockOutputs {
  /** Inputs of every linear layer by tap. */
  readonly taps?: boolean;
  /** Keys (after rotation) and values of the given positions. */
  readonly cache?: boolean;
  /** Changes what linear layers read, by tap: quantized activations. Taps show the result. */
  readonly transform?: (tap: TapName, x: Traced) => Traced;
}

export type BlockResult = {
  /** `[batch, length, hiddenSize]` */
  hidden: Traced;
  taps?: Record<TapName, Traced>;
  cache?: Past;
};

/** The normed hidden state before attention or before the feed-forward part. */
export function normalize(
  config: LanguageModelConfig,
  parameters: TracedRecord,
  names: { readonly weight: string; readonly bias: string | null },
  hidden: Traced,
): Traced {
  const weight = parameter(parameters, names.weight);
  if (names.bias === null) return rmsNorm(hidden, weight, config.normEpsilon);
  return layerNorm(hidden, weight, parameter(parameters, names.bias), config.normEpsilon);
}

/**
 * Attention up to the input of the output projection: `x [batch, length, hiddenSize]`
 * (already normed) to `[batch, length, heads * headSize]`, with this call's keys and values.
 */
function attended(
  config: LanguageModelConfig,
  parameters: TracedRecord,
  x: Traced,
  surroundings: TracedRecord,
  past?: Past,
): { context: Traced; keys: Traced; values: Traced } {
  let [queries, keys, values] = projections(config, parameters, x);
  if (config.queryKeyNorm) {
    queries = headNorm(config, parameters, 'self_attn.q_norm.weight', queries);
    keys = headNorm(config, parameters, 'self_attn.k_norm.weight', keys);
  }
  if (config.positions === 'rotary') {
    const cosine = parameter(surroundings, 'cosine');
    const sine = parameter(surroundings, 'sine');
    queries = rotate(queries, cosine.ref, sine.ref);
    keys = rotate(keys, cosine, sine);
  }
  const allKeys = past ? np.concatenate([past.keys, keys.ref], 2) : keys.ref;
  const allValues = past ? np.concatenate([past.values, values.ref], 2) : values.ref;
  const mask = parameter(surroundings, 'mask');
  return {
    context: joinHeads(attend(queries, allKeys, allValues, mask)),
    keys,
    values,
  };
}

function projections(
  config: LanguageModelConfig,
  parameters: TracedRecord,
  x: Traced,
): [queries: Traced, keys: Traced, values: Traced] {
  const { heads, keyValueHeads } = config;
  if (config.family === 'gpt2') {
    const fused = affine(parameters, 'attn.c_attn', x);
    const [queries, keys, values] = np.split(fused, 3, -1) as [Traced, Traced, Traced];
    return [
      splitHeads(queries, heads),
      splitHeads(keys, keyValueHeads),
      splitHeads(values, keyValueHeads),
    ];
  }
  return [
    splitHeads(affine(parameters, 'self_attn.q_proj', x.ref), heads),
    splitHeads(affine(parameters, 'self_attn.k_proj', x.ref), keyValueHeads),
    splitHeads(affine(parameters, 'self_attn.v_proj', x), keyValueHeads),
  ];
}

function headNorm(
  config: LanguageModelConfig,
  parameters: TracedRecord,
  name: string,
  x: Traced,
): Traced {
  return rmsNorm(x, parameter(parameters, name), config.normEpsilon);
}

/** Output projection of the attended values. */
function projectAttended(
  config: LanguageModelConfig,
  parameters: TracedRecord,
  context: Traced,
): Traced {
  const name = config.family === 'gpt2' ? 'attn.c_proj' : 'self_attn.o_proj';
  return affine(parameters, name, context);
}

/** Whole self-attention of a normed input: `[batch, length, hiddenSize]` to the same. */
export function attention(
  config: LanguageModelConfig,
  parameters: TracedRecord,
  x: Traced,
  surroundings: TracedRecord,
): Traced {
  const { context, keys, values } = attended(config, parameters, x, surroundings);
  keys.dispose();
  values.dispose();
  return projectAttended(config, parameters, context);
}

/** Activations that enter the last linear layer, `[batch, length, intermediateSize]`. */
function activated(
  config: LanguageModelConfig,
  parameters: TracedRecord,
  x: Traced,
): Traced {
  if (config.activation === 'gelu-tanh')
    return geluTanh(affine(parameters, 'mlp.c_fc', x));
  const gate = silu(affine(parameters, 'mlp.gate_proj', x.ref));
  return gate.mul(affine(parameters, 'mlp.up_proj', x));
}

/** Feed-forward part of a normed input: `[batch, length, hiddenSize]` to the same. */
export function feedForward(
  config: LanguageModelConfig,
  parameters: TracedRecord,
  x: Traced,
): Traced {
  return contract(config, parameters, activated(config, parameters, x));
}

function contract(
  config: LanguageModelConfig,
  parameters: TracedRecord,
  x: Traced,
): Traced {
  const name = config.activation === 'gelu-tanh' ? 'mlp.c_proj' : 'mlp.down_proj';
  return affine(parameters, name, x);
}

/** Pre-norm residual block: `hidden [batch, length, hiddenSize]` to the same shape. */
export function block(
  config: LanguageModelConfig,
  parameters: TracedRecord,
  hidden: Traced,
  surroundings: TracedRecord,
  outputs: BlockOutputs = {},
  past?: Past,
): BlockResult {
  const norms = blockNorms(config);
  const transform = outputs.transform ?? ((_: TapName, x: Traced) => x);
  const attentionInput = transform(
    'attentionInput',
    normalize(config, parameters, norms.attention, hidden.ref),
  );
  const {
    context: mixed,
    keys,
    values,
  } = attended(
    config,
    parameters,
    keep(attentionInput, outputs.taps),
    surroundings,
    past,
  );
  const context = transform('attended', mixed);
  const middle = hidden.add(
    projectAttended(config, parameters, keep(context, outputs.taps)),
  );
  const feedForwardInput = transform(
    'feedForwardInput',
    normalize(config, parameters, norms.feedForward, middle.ref),
  );
  const activations = transform(
    'activated',
    activated(config, parameters, keep(feedForwardInput, outputs.taps)),
  );
  const result: BlockResult = {
    hidden: middle.add(contract(config, parameters, keep(activations, outputs.taps))),
  };
  if (outputs.taps) {
    result.taps = {
      attentionInput,
      attended: context,
      feedForwardInput,
      activated: activations,
    };
  }
  if (outputs.cache) result.cache = { keys, values };
  else {
    keys.dispose();
    values.dispose();
  }
  return result;
}

function keep(x: Traced, again: boolean | undefined): Traced {
  return again ? x.ref : x;
}

function affine(parameters: TracedRecord, name: string, x: Traced): Traced {
  return linear(x, parameter(parameters, `${name}.weight`), parameters[`${name}.bias`]);
}

/** The named array; a missing one is a defect of the caller, not of the user. */
export function parameter(parameters: TracedRecord, name: string): Traced {
  const found = parameters[name];
  if (!found) throw new Error(`no parameter named ${name}`);
  return found;
}
