/** Quantization-aware training: fine-tunes a model through its own rounding. */

import { compile } from '../../array/compile.ts';
import { numpy as np, stopGradient, valueAndGrad } from '../../array/jax.ts';
import { float32, type Tensor } from '../../array/tensor.ts';
import { AssayError, throwIfCancelled } from '../../error.ts';
import { block, type TracedRecord } from '../../nn/decoder/block.ts';
import type { Traced } from '../../nn/decoder/functions.ts';
import { linearLayers, type TapName } from '../../nn/decoder/linear-layers.ts';
import { embed, head, negativeLogLikelihood } from '../../nn/decoder/model.ts';
import { blockPrefix, parameterNames } from '../../nn/decoder/parameters.ts';
import { sequenceSurroundings } from '../../nn/decoder/positions.ts';
import { readParameters } from '../../nn/memory-model.ts';
import type { LanguageModelConfig } from '../../nn/model.ts';
import type { ActivationRange } from '../../nn/quantized.ts';
import type { RunContext } from '../../nouns/run.ts';
import { adamWState, adamWStep, clippingScale, globalNorm } from '../../train/adamw.ts';
import { learningRateAt } from '../../train/schedule.ts';
import { decodeState, encodeState } from '../../train/state-file.ts';
import { tokenBatches } from '../../train/token-batches.ts';
import { pause } from '../assemble.ts';
import {
  type FedRange,
  fakeQuantizeTraced,
  type TracedRange,
  tapRanges,
} from '../dequantized.ts';
import type { QuantizeInput } from '../input.ts';
import type { WeightSettings } from './weights.ts';

export interface TrainingSettings extends WeightSettings {
  readonly steps: number;
  readonly learningRate: number;
  readonly batch: number;
  /** Share of the steps before activations are rounded too. */
  readonly activationDelay: number;
}

type Ranges = Record<string, Record<TapName, TracedRange>>;

/**
 * Float master weights after training with rounded weights, and after the delay rounded
 * activations, in the forward pass; gradients pass straight through inside the ranges
 * (whitepaper, sections 2.4 and 3.2). Weight ranges are the exact extremes at each step,
 * activation ranges those of calibration. AdamW without decay, cosine schedule.
 * A checkpoint is written every 25 steps and taken up again.
 */
export async function trainQuantized(
  input: QuantizeInput,
  activations: Readonly<Record<string, ActivationRange>>,
  settings: TrainingSettings,
  key: string,
  context: RunContext,
): Promise<{ parameters: Record<string, Tensor>; losses: number[] }> {
  const { config } = input.model;
  const [, length] = input.calibrationTokens.shape;
  const stream = input.calibrationTokens.data;
  const span = Math.min(length - 1, config.contextLength);
  const batchOf = tokenBatches(stream, settings.batch, span, context.seed);
  const surroundings = sequenceSurroundings(config, span);
  const gradients = [true, false].map((withActivations) =>
    compile(lossGradient(config, settings, withActivations), {
      threads: context.threads,
      signal: context.signal,
    }),
  );
  const ranges: Record<string, Record<TapName, FedRange>> = {};
  for (let layer = 0; layer < config.layers; layer++) {
    ranges[layer] = tapRanges({ config, activations }, layer);
  }
  const finished = await context.checkpoint.read(key);
  const state = finished ? decodeState(finished) : null;
  const parameters = state?.parameters ?? copies(await readParameters(input.model));
  const optimizer = state?.optimizer ?? adamWState(parameters);
  const losses = [...((state?.record.losses as number[] | undefined) ?? [])];
  const schedule = {
    peak: settings.learningRate,
    warmup: 0,
    steps: settings.steps,
    floor: 0.05,
  };
  const adam = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0 };
  try {
    while (optimizer.step < settings.steps) {
      await pause(context);
      const step = optimizer.step;
      const rounded = step >= settings.activationDelay * settings.steps;
      const { inputs, targets } = batchOf(step);
      const [loss, slopes] = await gradients[rounded ? 0 : 1](
        parameters,
        inputs,
        targets,
        surroundings,
        ranges,
      );
      const value = loss.data[0];
      const norm = globalNorm(slopes as Record<string, Tensor>);
      if (!Number.isFinite(value) || !Number.isFinite(norm)) {
        throw new AssayError(
          'invalid-input',
          `integer-quantization: the loss is not finite at step ${step + 1}; use a lower ` +
            'learningRate',
        );
      }
      const rate = learningRateAt(schedule, step);
      const scale = clippingScale(norm, 1);
      const slopesByName = slopes as Record<string, Tensor>;
      adamWStep(parameters, slopesByName, optimizer, rate, adam, new Set(), scale);
      losses.push(value);
      context.progress({
        done: step + 1,
        total: settings.steps,
        label: `quantization-aware training, step ${step + 1} of ${settings.steps}`,
        metrics: { loss: value },
      });
      if ((step + 1) % 25 === 0) {
        const bytes = encodeState({ parameters, optimizer, record: { losses } });
        await context.checkpoint.write(key, bytes);
      }
    }
    throwIfCancelled(context.signal);
  } finally {
    for (const compiled of gradients) await compiled.dispose();
  }
  return { parameters, losses };
}

function lossGradient(
  config: LanguageModelConfig,
  settings: WeightSettings,
  withActivations: boolean,
) {
  const loss = (
    parameters: TracedRecord,
    inputs: Traced,
    targets: Traced,
    around: TracedRecord,
    ranges: Ranges,
  ): Traced => {
    const names = parameterNames(config);
    const shared = parameters[names.embedding];
    const first = config.tiedHead
      ? { ...parameters, [names.embedding]: shared.ref }
      : parameters;
    let hidden = embed(config, first, inputs);
    for (let layer = 0; layer < config.layers; layer++) {
      const prefix = blockPrefix(config, layer);
      const local: TracedRecord = {};
      for (const [name, value] of Object.entries(parameters)) {
        if (name.startsWith(prefix)) local[name.slice(prefix.length)] = value;
      }
      for (const { name } of linearLayers(config)) {
        local[name] = roundWeights(local[name], settings);
      }
      const again: TracedRecord = {};
      for (const [name, value] of Object.entries(around)) {
        again[name] = layer === config.layers - 1 ? value : value.ref;
      }
      hidden = block(config, local, hidden, again, {
        transform: (tap, x) =>
          withActivations ? roundActivations(x, ranges[layer][tap]) : x,
      }).hidden;
    }
    return negativeLogLikelihood(head(config, parameters, hidden), targets).mean();
  };
  return valueAndGrad(loss) as unknown as (
    ...inputs: Parameters<typeof loss>
  ) => [Traced, TracedRecord];
}

/**
 * Weights on their grid with the gradient of the identity: their range is exact, so that
 * every weight lies inside.
 */
function roundWeights(weight: Traced, settings: WeightSettings): Traced {
  const { weightBits, weightScheme, granularity } = settings;
  const axes = granularity === 'per-channel' ? 1 : [0, 1];
  const fixed = stopGradient(weight.ref);
  const extremes = { keepdims: true };
  let rounded: Traced;
  if (weightScheme === 'symmetric') {
    const half = 2 ** (weightBits - 1) - 1;
    const reach = np.max(np.abs(fixed.ref), axes, extremes);
    const scale = np.maximum(reach.div(half), 1e-12);
    rounded = np.floor(fixed.div(scale.ref).add(0.5)).mul(scale);
  } else {
    const steps = 2 ** weightBits - 1;
    const low = np.minimum(np.min(fixed.ref, axes, extremes), 0);
    const high = np.maximum(np.max(fixed.ref, axes, extremes), 0);
    const scale = np.maximum(high.sub(low.ref).div(steps), 1e-12);
    const zero = np.floor(low.neg().div(scale.ref).add(0.5));
    const codes = np.floor(fixed.div(scale.ref).add(zero.ref).add(0.5));
    rounded = np.maximum(np.minimum(codes, steps), 0).sub(zero).mul(scale);
  }
  return weight.ref.add(stopGradient(rounded.sub(weight)));
}

/** Activations on their grid; the gradient passes inside the nudged range, ends included. */
function roundActivations(x: Traced, range: TracedRange): Traced {
  const { scale, zero, highest } = range;
  const low = zero.ref.neg().mul(scale.ref);
  const high = highest.ref.sub(zero.ref).mul(scale.ref);
  const inside = np.maximum(np.minimum(x, high), low);
  const rounded = fakeQuantizeTraced(inside.ref, range);
  return inside.ref.add(stopGradient(rounded.sub(inside)));
}

function copies(tensors: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]) => [
      name,
      float32(shape, data.slice()),
    ]),
  );
}
