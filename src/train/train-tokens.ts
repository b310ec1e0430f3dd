/** The training loop over token streams: seeded, resumable to the same bits, cancellable. */

import { compile } from '../array/compile.ts';
import { valueAndGrad } from '../array/jax.ts';
import { float32, int32, type Tensor } from '../array/tensor.ts';
import { AssayError, CancelledError, InvalidInputError } from '../error.ts';
import { sha256 } from '../format/hash.ts';
import { bytesOf } from '../format/stored-values.ts';
import type { TracedRecord } from '../nn/decoder/block.ts';
import type { Traced } from '../nn/decoder/functions.ts';
import { loss } from '../nn/decoder/model.ts';
import { sequenceSurroundings } from '../nn/decoder/positions.ts';
import type { LanguageModelConfig } from '../nn/model.ts';
import type { RunContext } from '../nouns/run.ts';
import { adamWState, adamWStep, clippingScale, globalNorm } from './adamw.ts';
import { decayedParameters, initialParameters } from './initial-parameters.ts';
import { learningRateAt } from './schedule.ts';
import { decodeState, encodeState, type TrainingState } from './state-file.ts';
import { type TokenBatch, tokenBatches } from './token-batches.ts';

/** What the loop does at each step. */
export interface LoopOptions {
  readonly batch: number;
  /** Tokens of a sequence. */
  readonly context: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly warmup: number;
  /** Steps at the end in which the rate falls; 0: from the warm-up on. */
  readonly decay: number;
  /** Learning rate at the end, as a share of the peak. */
  readonly floor: number;
  readonly weightDecay: number;
  readonly beta1: number;
  readonly beta2: number;
  /** Largest global norm of a gradient. */
  readonly clip: number;
  readonly evaluateEvery: number;
  readonly evaluateBatches: number;
  readonly checkpointEvery: number;
}

/** Losses in nats per token. */
export interface TrainingPoint {
  /** Steps made. */
  readonly step: number;
  /** Mean training loss since the point before. */
  readonly loss: number;
  /** Loss on the held-out stream; null without one. */
  readonly heldOutLoss: number | null;
}

export interface TrainedParameters {
  readonly parameters: Record<string, Tensor>;
  readonly history: readonly TrainingPoint[];
}

const checkpointKey = 'training';
const epsilon = 1e-8;

/**
 * Trains a decoder from random parameters on a stream of token ids. A checkpoint of the same
 * run (configuration, options, data and seed) is taken up and ends in the same bits as an
 * uninterrupted run with as many threads; a cancelled run leaves one.
 *
 * @throws InvalidInputError for a stream shorter than a sequence or ids outside the
 * vocabulary, CancelledError, AssayError when the loss is not finite any more.
 */
export async function trainTokens(
  config: LanguageModelConfig,
  training: Int32Array,
  heldOut: Int32Array | null,
  options: LoopOptions,
  context: RunContext,
): Promise<TrainedParameters> {
  checkIds('training tokens', training, config.vocabularySize);
  if (heldOut) checkIds('held-out tokens', heldOut, config.vocabularySize);
  const identity = identify(config, training, heldOut, options, context.seed);
  const { parameters, optimizer, record } =
    (await resumed(context, identity, options)) ?? started(config, context.seed);
  const history = [...(record.history as TrainingPoint[])];
  let lossSum = record.lossSum as number;
  let lossSteps = record.lossSteps as number;

  const batchOf = tokenBatches(training, options.batch, options.context, context.seed);
  const surroundings = sequenceSurroundings(config, options.context);
  const compiled = compileLoss(config, context.threads);
  const target = [float32([]), zerosLike(parameters)] as [Tensor, Record<string, Tensor>];
  const decayed = decayedParameters(config);
  const schedule = {
    peak: options.learningRate,
    warmup: options.warmup,
    steps: options.steps,
    decay: options.decay,
    floor: options.floor,
  };
  const held = heldOut ? evaluationBatches(heldOut, options) : [];
  const save = async (): Promise<void> => {
    const saved = { identity, steps: options.steps, history, lossSum, lossSteps };
    const bytes = encodeState({ parameters, optimizer, record: saved });
    await context.checkpoint.write(checkpointKey, bytes);
  };

  try {
    let unsaved = 0;
    while (optimizer.step < options.steps) {
      if (context.signal.aborted) {
        if (unsaved > 0) await save();
        throw new CancelledError('the training');
      }
      const { inputs, targets } = batchOf(optimizer.step);
      await compiled.gradient.into(target, parameters, inputs, targets, surroundings);
      const value = target[0].data[0]!;
      const norm = globalNorm(target[1]);
      if (!Number.isFinite(value) || !Number.isFinite(norm))
        throw diverged(optimizer.step);
      const rate = learningRateAt(schedule, optimizer.step);
      const scale = clippingScale(norm, options.clip);
      const adam = { ...options, epsilon };
      adamWStep(parameters, target[1], optimizer, rate, adam, decayed, scale);
      lossSum += value;
      lossSteps++;
      unsaved++;
      const done = optimizer.step;
      if (done % options.evaluateEvery === 0 || done === options.steps) {
        let sum = 0;
        for (const { inputs, targets } of held) {
          const result = await compiled.loss(parameters, inputs, targets, surroundings);
          sum += result.data[0]!;
        }
        const heldOutLoss = held.length > 0 ? sum / held.length : null;
        history.push({ step: done, loss: lossSum / lossSteps, heldOutLoss });
        lossSum = 0;
        lossSteps = 0;
      }
      const last = history.at(-1)?.heldOutLoss ?? null;
      context.progress({
        done,
        total: options.steps,
        label: `step ${done} of ${options.steps}`,
        metrics: {
          loss: value,
          learningRate: rate,
          ...(last === null ? {} : { heldOutLoss: last }),
        },
      });
      if (done % options.checkpointEvery === 0 && done < options.steps) {
        await save();
        unsaved = 0;
      }
    }
    if (unsaved > 0) await save();
  } finally {
    await compiled.dispose();
  }
  return { parameters, history };
}

function compileLoss(config: LanguageModelConfig, threads: number) {
  const lossOf = (
    parameters: TracedRecord,
    inputs: Traced,
    targets: Traced,
    surroundings: TracedRecord,
  ): Traced => loss(config, parameters, inputs, targets, surroundings);
  const gradientOf = valueAndGrad(lossOf) as unknown as (
    ...inputs: Parameters<typeof lossOf>
  ) => [Traced, TracedRecord];
  const gradient = compile(gradientOf, { threads });
  const value = compile(lossOf, { threads });
  return {
    gradient,
    loss: value,
    dispose: async () => {
      await gradient.dispose();
      await value.dispose();
    },
  };
}

function zerosLike(tensors: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { shape }]) => [name, float32(shape)]),
  );
}

/** Held-out batches spread evenly over the stream, the same at every evaluation. */
function evaluationBatches(stream: Int32Array, options: LoopOptions): TokenBatch[] {
  const { batch, context: length } = options;
  const pieces = Math.floor((stream.length - 1) / length);
  if (pieces < 1) {
    const expected = `at least ${length + 1} tokens`;
    throw new InvalidInputError('held-out documents', expected, `${stream.length}`);
  }
  const batches = Math.max(
    1,
    Math.min(options.evaluateBatches, Math.floor(pieces / batch)),
  );
  return Array.from({ length: batches }, (_, index) => {
    const inputs = int32([batch, length]);
    const targets = int32([batch, length]);
    for (let row = 0; row < batch; row++) {
      const place = (index * batch + row) / (batches * batch);
      const start = Math.floor(place * pieces) * length;
      inputs.data.set(stream.subarray(start, start + length), row * length);
      targets.data.set(stream.subarray(start + 1, start + length + 1), row * length);
    }
    return { inputs, targets };
  });
}

function started(config: LanguageModelConfig, seed: number): TrainingState {
  const parameters = initialParameters(config, seed);
  return {
    parameters,
    optimizer: adamWState(parameters),
    record: { history: [], lossSum: 0, lossSteps: 0 },
  };
}

async function resumed(
  context: RunContext,
  identity: string,
  options: LoopOptions,
): Promise<TrainingState | undefined> {
  const bytes = await context.checkpoint.read(checkpointKey);
  if (bytes === undefined) return undefined;
  const state = decodeState(bytes);
  if (state.record.identity !== identity) return undefined;
  const steps = Number(state.record.steps);
  if (steps === options.steps) return state;
  // Until the learning rate falls, a run does not depend on how many steps it will have.
  const shared = options.decay > 0 ? Math.min(steps, options.steps) - options.decay : 0;
  return state.optimizer.step <= shared ? state : undefined;
}

function identify(
  config: LanguageModelConfig,
  training: Int32Array,
  heldOut: Int32Array | null,
  options: LoopOptions,
  seed: number,
): string {
  const data = [training, heldOut].map((stream) => stream && sha256(bytesOf(stream)));
  const { steps: _, ...others } = options;
  return sha256(JSON.stringify([config, data, others, seed]));
}

function checkIds(argument: string, ids: Int32Array, vocabularySize: number): void {
  const wrong = ids.findIndex((id) => id < 0 || id >= vocabularySize);
  if (wrong >= 0) {
    const expected = `token ids from 0 to ${vocabularySize - 1}`;
    throw new InvalidInputError(argument, expected, `${ids[wrong]} at ${wrong}`);
  }
}

function diverged(step: number): AssayError {
  return new AssayError(
    'invalid-input',
    `learningRate: the loss is not finite at step ${step + 1}; use a lower learning rate`,
  );
}
