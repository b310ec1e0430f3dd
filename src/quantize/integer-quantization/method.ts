/** Integer quantization of weights and activations (Krishnamoorthi, arXiv 1806.08342). */

import { z } from 'zod';
import type { QuantizedMatrix } from '../../array/quantized.ts';
import { matrixSize } from '../../array/quantizer/size.ts';
import type { Tensor } from '../../array/tensor.ts';
import { InvalidInputError } from '../../error.ts';
import { sha256 } from '../../format/hash.ts';
import type { ActivationRange, QuantizedModel } from '../../nn/quantized.ts';
import { defineMethod } from '../../nouns/method.ts';
import { assembleModel, pause } from '../assemble.ts';
import { forwardOperations, weightCount, weightWork } from '../estimate.ts';
import {
  checkInput,
  checkSampleCount,
  type QuantizeInput,
  readFinite,
} from '../input.ts';
import { selectLayers } from '../layers.ts';
import { stageOf } from '../stages.ts';
import { type LayerError, WeightError } from '../weight-error.ts';
import { calibrateActivations } from './calibrate.ts';
import { rangeRules } from './ranges.ts';
import { trainQuantized } from './training.ts';
import { quantizeWeights } from './weights.ts';

export const integerQuantizationOptions = z.object({
  mode: z
    .enum(['static', 'weight-only', 'activation-only', 'qat'])
    .default('static')
    .describe(
      'What is rounded: weights and calibrated activations (static), one of both, or ' +
        'static after training through the rounding on the calibration text (qat).',
    ),
  weightBits: z.int().min(2).max(8).default(8).describe('Bits of a weight, 2 to 8.'),
  activationBits: z
    .union([z.literal(8), z.literal(4), z.literal(16)])
    .default(8)
    .describe('Bits of an activation.'),
  weightScheme: z
    .enum(['symmetric', 'asymmetric'])
    .default('symmetric')
    .describe('Symmetric weights need no zero points in the sums.'),
  granularity: z
    .enum(['per-channel', 'per-layer'])
    .default('per-channel')
    .describe('One weight scale for each output channel or one for the whole matrix.'),
  restrictedRange: z
    .boolean()
    .default(true)
    .describe('Symmetric codes without the lowest one: 8 bits are -127 to 127.'),
  activationGranularity: z
    .enum(['per-layer', 'per-channel'])
    .default('per-layer')
    .describe('Activations are per layer; per-channel is refused with the reason.'),
  range: z
    .enum(rangeRules)
    .default('moving-average')
    .describe(
      'How activation ranges follow from the calibration samples: moving average of ' +
        'their extremes (decay 0.99), extremes of all, 99.99 percentile, least error.',
    ),
  trainingSteps: z
    .int()
    .min(1)
    .max(100_000)
    .default(100)
    .describe('Steps of quantization-aware training (mode qat).'),
  learningRate: z
    .number()
    .positive()
    .max(0.1)
    .default(1e-4)
    .describe('Peak learning rate of that training.'),
  trainingBatch: z
    .int()
    .min(1)
    .max(1024)
    .default(4)
    .describe('Calibration sequences in one of its steps.'),
});

export type IntegerQuantizationOptions = z.output<typeof integerQuantizationOptions>;

export const integerQuantization = defineMethod({
  name: 'integer-quantization',
  task: 'quantize',
  paper: 'integer-quantization',
  title: 'Integer quantization of weights and activations',
  summary:
    'Eight-bit weights with a scale for each channel and eight-bit activations with ' +
    'calibrated ranges, for hardware that multiplies integers. For language models below ' +
    '8 bits prefer AWQ.',
  options: integerQuantizationOptions,
  estimate(input: QuantizeInput, options) {
    check(input, options);
    const { config } = input.model;
    const layers = selectLayers(config, '');
    const [samples, length] = input.calibrationTokens.shape;
    const base = weightWork(config, layers, 20e-9);
    if (options.mode === 'weight-only') return base;
    const forward = forwardOperations(config, layers, samples, length);
    const features = 4 * config.hiddenSize + 2 * config.intermediateSize;
    const values = samples * length * features * config.layers;
    const training = options.mode === 'qat' ? trainingSeconds(input, options) : 0;
    const states = options.mode === 'qat' ? weightCount(layers) * 24 : 0;
    return {
      seconds: base.seconds + forward / 50e9 + values * 2e-8 + training,
      bytes: base.bytes + states + samples * length * features * 8,
    };
  },
  async run(input: QuantizeInput, options, context): Promise<QuantizedModel> {
    check(input, options);
    const { model } = input;
    const layers = selectLayers(model.config, '');
    const started = performance.now();
    const error = new WeightError();
    const table: Record<string, LayerError> = {};
    const rounds = options.mode !== 'activation-only';
    const activations: Record<string, ActivationRange> =
      options.mode === 'weight-only'
        ? {}
        : await calibrateActivations(
            input,
            options.activationBits,
            options.range,
            stageOf(context, 0, options.mode === 'qat' ? 0.1 : 0.7),
          );
    let trained: Record<string, Tensor> | undefined;
    let losses: readonly number[] = [];
    if (options.mode === 'qat') {
      const result = await trainQuantized(
        input,
        activations,
        {
          ...options,
          steps: options.trainingSteps,
          batch: options.trainingBatch,
          activationDelay: 0.1,
        },
        runKey(input, options, context.seed),
        stageOf(context, 0.1, 0.9),
      );
      trained = result.parameters;
      losses = result.losses;
    }
    const matrices: Record<string, QuantizedMatrix> = {};
    const changed: Record<string, Tensor> = { ...trained };
    const done = { 'weight-only': 0, qat: 0.9 }[options.mode as string] ?? 0.7;
    const rounding = stageOf(context, done, 1);
    for (const [index, layer] of layers.entries()) {
      await pause(context);
      rounding.progress({
        done: index,
        total: layers.length,
        label: `rounding ${layer.name}`,
      });
      const original = await readFinite(model, layer.name);
      if (!rounds) continue;
      const weight = trained?.[layer.name] ?? original;
      const matrix = quantizeWeights(weight, options, layer.name);
      table[layer.name] = error.add(original, matrix);
      matrices[layer.name] = matrix;
    }
    rounding.progress({ done: 1, total: 1, label: 'quantized' });
    return assembleModel(model, {
      method: 'integer-quantization',
      matrices,
      changed,
      activations,
      started,
      weightError: error.value(),
      report: {
        mode: options.mode,
        warnings: warnings(input, options),
        layers: table,
        integerModelBytes: integerModelBytes(matrices),
        ...(options.mode === 'qat' ? { losses } : {}),
      },
    });
  },
});

function check(input: QuantizeInput, options: IntegerQuantizationOptions): void {
  checkInput(input);
  if (options.activationGranularity === 'per-channel') {
    throw new InvalidInputError(
      'activationGranularity',
      'per-layer: activations are per-layer; per-channel would need re-scaling inside the ' +
        'accumulation',
      'per-channel',
    );
  }
  if (options.mode !== 'weight-only') checkSampleCount(input, 1);
  const [samples, length] = input.calibrationTokens.shape;
  if (options.mode === 'qat' && (length < 3 || samples * length < 2 * length)) {
    throw new InvalidInputError(
      'calibrationTokens',
      'at least 2 samples of 3 tokens to train on',
      `${samples} of ${length}`,
    );
  }
}

function warnings(input: QuantizeInput, options: IntegerQuantizationOptions): string[] {
  const [samples] = input.calibrationTokens.shape;
  return samples < 2 && options.mode !== 'weight-only'
    ? ['activation ranges come from a single calibration sample: give at least two']
    : [];
}

/** Bytes for an integer executor: codes, and for each channel a scale and an int32 bias. */
export function integerModelBytes(
  matrices: Readonly<Record<string, QuantizedMatrix>>,
): number {
  let bytes = 0;
  for (const matrix of Object.values(matrices)) {
    bytes += Math.ceil(matrixSize(matrix).codeBits / 8) + 8 * matrix.shape[0];
  }
  return bytes;
}

function trainingSeconds(
  input: QuantizeInput,
  options: IntegerQuantizationOptions,
): number {
  const { config } = input.model;
  const layers = selectLayers(config, '');
  const length = input.calibrationTokens.shape[1];
  const step = 3 * forwardOperations(config, layers, options.trainingBatch, length);
  const head = 6 * options.trainingBatch * length * config.hiddenSize;
  return options.trainingSteps * ((step + head * config.vocabularySize) / 40e9 + 0.02);
}

function runKey(
  input: QuantizeInput,
  options: IntegerQuantizationOptions,
  seed: number,
): string {
  const { data } = input.calibrationTokens;
  const tokens = sha256(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  const parts = [input.model.fingerprint, tokens, JSON.stringify(options), `${seed}`];
  return `integer-quantization-${sha256(parts.join('\n')).slice(0, 16)}`;
}
