/** Options of language-model training: flags of the command, fields of the form. */

import { z } from 'zod';
import { InvalidInputError } from '../error.ts';
import type { LanguageModelConfig } from '../nn/model.ts';

const count = (low: number, high: number, otherwise: number, description: string) =>
  z.int().min(low).max(high).default(otherwise).describe(description);

/** Every option of `trainLanguageModel`, with its default and meaning. */
export const trainingOptions = z.object({
  layers: count(1, 128, 3, 'Transformer blocks.'),
  hidden: count(8, 16384, 256, 'Width of the hidden state.'),
  heads: count(1, 256, 8, 'Attention heads; the width divided by them must be even.'),
  kvHeads: count(1, 256, 4, 'Key and value heads; a divisor of the heads.'),
  intermediate: count(8, 65536, 640, 'Width inside the feed-forward part.'),
  vocabulary: count(257, 262144, 1024, 'Tokens of the byte-level BPE that is trained.'),
  context: count(8, 32768, 256, 'Tokens of a training sequence and of the context.'),
  tied: z.boolean().default(true).describe('Use the embedding as the head.'),
  batch: count(1, 4096, 8, 'Sequences in a step.'),
  steps: count(1, 10_000_000, 2000, 'Optimizer steps.'),
  learningRate: z
    .number()
    .positive()
    .max(1)
    .default(3e-3)
    .describe('Peak learning rate.'),
  warmup: count(0, 1_000_000, 100, 'Steps of linear warm-up.'),
  decay: count(
    0,
    10_000_000,
    0,
    'Steps at the end in which the learning rate falls; 0: from the warm-up on. With a ' +
      'number, a run can be taken up with more or fewer steps until they begin.',
  ),
  floor: z
    .number()
    .min(0)
    .max(1)
    .default(0.02)
    .describe('Learning rate at the end, as a share of the peak (cosine in between).'),
  weightDecay: z
    .number()
    .min(0)
    .max(10)
    .default(0.1)
    .describe('Decoupled decay of the linear weights; norms and embeddings have none.'),
  beta1: z.number().min(0).lt(1).default(0.9).describe('Decay of the mean of gradients.'),
  beta2: z
    .number()
    .min(0)
    .lt(1)
    .default(0.95)
    .describe('Decay of the mean of squared gradients.'),
  clip: z.number().positive().default(1).describe('Largest global norm of a gradient.'),
  evaluateEvery: count(1, 1_000_000, 250, 'Steps between losses on the held-out text.'),
  evaluateBatches: count(1, 10_000, 16, 'Batches of held-out text in such a loss.'),
  checkpointEvery: count(1, 1_000_000, 250, 'Steps between checkpoints.'),
  precision: z
    .enum(['float32', 'float16', 'bfloat16'])
    .default('float16')
    .describe('Stored type of the saved weights.'),
});

export type TrainingOptions = z.output<typeof trainingOptions>;

/**
 * The LLaMA-style configuration that options describe.
 * @throws InvalidInputError for heads that do not divide.
 */
export function configurationOf(
  options: TrainingOptions,
  vocabularySize: number,
  endToken: number | null,
): LanguageModelConfig {
  const { hidden, heads, kvHeads } = options;
  const headSize = hidden / heads;
  if (!Number.isInteger(headSize / 2)) {
    const expected = `a number that cuts the width ${hidden} into even parts`;
    throw new InvalidInputError('heads', expected, `${heads}`);
  }
  if (heads % kvHeads !== 0) {
    throw new InvalidInputError(
      'kvHeads',
      `a divisor of the ${heads} heads`,
      `${kvHeads}`,
    );
  }
  if (options.warmup >= options.steps) {
    throw new InvalidInputError('warmup', 'fewer than the steps', `${options.warmup}`);
  }
  if (options.decay > options.steps - options.warmup) {
    const expected = `at most ${options.steps - options.warmup}, the steps after the warm-up`;
    throw new InvalidInputError('decay', expected, `${options.decay}`);
  }
  return {
    family: 'llama',
    vocabularySize,
    hiddenSize: hidden,
    intermediateSize: options.intermediate,
    layers: options.layers,
    heads,
    keyValueHeads: kvHeads,
    headSize,
    contextLength: options.context,
    norm: 'rms',
    normEpsilon: 1e-5,
    positions: 'rotary',
    ropeTheta: 10000,
    ropeScaling: null,
    slidingWindow: null,
    activation: 'silu-gated',
    queryKeyValueBias: false,
    outputBias: false,
    queryKeyNorm: false,
    tiedHead: options.tied,
    beginToken: endToken,
    endToken,
  };
}
