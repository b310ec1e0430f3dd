/** The whole decoder as pure functions over a flat record of parameters. */

import { nn, numpy as np } from '../../array/jax.ts';
import type { LanguageModelConfig } from '../model.ts';
import { block, normalize, parameter, type TracedRecord } from './block.ts';
import { linear, type Traced } from './functions.ts';
import { blockPrefix, parameterNames } from './parameters.ts';

/** Token ids `[batch, length]` to hidden states `[batch, length, hiddenSize]`. */
export function embed(
  config: LanguageModelConfig,
  parameters: TracedRecord,
  ids: Traced,
): Traced {
  const names = parameterNames(config);
  const length = ids.shape[1] ?? 0;
  const tokens = np.take(parameter(parameters, names.embedding), ids, 0);
  if (names.positions === null) return tokens;
  const positions = np.arange(length).astype(np.int32);
  return tokens.add(np.take(parameter(parameters, names.positions), positions, 0));
}

/** Final norm and projection: `[batch, length, hiddenSize]` to logits over the vocabulary. */
export function head(
  config: LanguageModelConfig,
  parameters: TracedRecord,
  hidden: Traced,
): Traced {
  const names = parameterNames(config);
  const normed = normalize(
    config,
    parameters,
    { weight: names.finalNorm, bias: names.finalNormBias },
    hidden,
  );
  return linear(normed, parameter(parameters, names.head));
}

/** Logits `[batch, length, vocabularySize]` of token ids `[batch, length]`. */
export function apply(
  config: LanguageModelConfig,
  parameters: TracedRecord,
  ids: Traced,
  surroundings: TracedRecord,
): Traced {
  let hidden = embed(config, keepShared(config, parameters), ids);
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = blockPrefix(config, layer);
    const local: TracedRecord = {};
    for (const [name, value] of Object.entries(parameters)) {
      if (name.startsWith(prefix)) local[name.slice(prefix.length)] = value;
    }
    const again: TracedRecord = {};
    for (const [name, value] of Object.entries(surroundings)) {
      again[name] = layer === config.layers - 1 ? value : value.ref;
    }
    hidden = block(config, local, hidden, again).hidden;
  }
  return head(config, parameters, hidden);
}

/** Negative log-likelihood in nats of `targets [batch, length]` under logits: same shape. */
export function negativeLogLikelihood(logits: Traced, targets: Traced): Traced {
  const size = logits.shape.at(-1) ?? 0;
  const [batch = 0, length = 0] = targets.shape;
  const vocabulary = np.arange(size).astype(np.int32);
  const chosen = targets.reshape([batch, length, 1]).equal(vocabulary);
  return np.where(chosen, nn.logSoftmax(logits, -1), 0).sum(-1).neg();
}

/**
 * Mean next-token cross-entropy in nats of `inputs [batch, length]` and
 * `targets [batch, length]`, the inputs one position later.
 */
export function loss(
  config: LanguageModelConfig,
  parameters: TracedRecord,
  inputs: Traced,
  targets: Traced,
  surroundings: TracedRecord,
): Traced {
  const logits = apply(config, parameters, inputs, surroundings);
  return negativeLogLikelihood(logits, targets).mean();
}

/** A tied embedding is used by the head as well: keep it for that second use. */
function keepShared(config: LanguageModelConfig, parameters: TracedRecord): TracedRecord {
  if (!config.tiedHead) return parameters;
  const name = parameterNames(config).embedding;
  return { ...parameters, [name]: parameter(parameters, name).ref };
}
