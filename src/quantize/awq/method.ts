/** AWQ: activation-aware weight quantization (Lin et al., arXiv 2306.00978). */

import { z } from 'zod';
import type { QuantizedMatrix } from '../../array/quantized.ts';
import { grid } from '../../array/quantizer/grid.ts';
import { quantizeMatrix } from '../../array/quantizer/matrix.ts';
import type { Tensor } from '../../array/tensor.ts';
import { sha256 } from '../../format/hash.ts';
import { linearLayers } from '../../nn/decoder/linear-layers.ts';
import { blockPrefix } from '../../nn/decoder/parameters.ts';
import type { QuantizedModel } from '../../nn/quantized.ts';
import { defineMethod } from '../../nouns/method.ts';
import { assembleModel, pause } from '../assemble.ts';
import { forwardOperations, weightCount, weightWork } from '../estimate.ts';
import { floatPass } from '../float-pass.ts';
import { checkInput, checkSampleCount, type QuantizeInput } from '../input.ts';
import { groupingFor, selectLayers } from '../layers.ts';
import { WeightError } from '../weight-error.ts';
import {
  applyChoice,
  type BlockChoice,
  foldedFactors,
  inputScales,
  type SearchSettings,
  searchBlock,
} from './block-search.ts';
import { decodeChoice, encodeChoice } from './choice-file.ts';
import { inspectorFor } from './inspect.ts';
import { awqReport } from './report.ts';

export const awqOptions = z.object({
  bits: z
    .int()
    .min(2)
    .max(8)
    .default(4)
    .describe('Bits of a weight: 4 or 3, also 2 or 8.'),
  groupSize: z
    .int()
    .min(-1)
    .default(0)
    .describe(
      'Consecutive inputs that share a scale; 0 takes 128, or 64 or 32 where 128 does not ' +
        'divide every layer, else whole rows; -1 takes whole rows.',
    ),
  zeroPoint: z
    .boolean()
    .default(true)
    .describe('Asymmetric groups with a zero point; off: symmetric groups.'),
  includeZero: z
    .boolean()
    .default(false)
    .describe('Widen every group’s range to hold 0, which keeps constant groups exact.'),
  autoScale: z
    .boolean()
    .default(true)
    .describe('Search for scales that protect the channels with large activations.'),
  autoClip: z
    .boolean()
    .default(true)
    .describe('Search for the largest weight that each group keeps.'),
  gridPoints: z
    .int()
    .min(1)
    .max(100)
    .default(20)
    .describe(
      'Points of both searches: exponents 0, 1/n, ..., (n-1)/n; clip steps of 1/n.',
    ),
  maxShrink: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe('Largest share of a group’s maximum that clipping may cut off.'),
  sampleTokens: z
    .int()
    .min(1)
    .default(512)
    .describe('About how many calibration tokens the clip search looks at.'),
});

export type AwqOptions = z.output<typeof awqOptions>;

export const awq = defineMethod({
  name: 'awq',
  task: 'quantize',
  paper: 'awq',
  title: 'AWQ: activation-aware weight quantization',
  summary:
    'Scales up the weights that large activations meet before rounding them to 4 or 3 ' +
    'bits, and clips the rest. A few calibration samples, no training; rarely overfits.',
  options: awqOptions,
  estimate(input: QuantizeInput, options) {
    checkAwqInput(input);
    const { config } = input.model;
    const layers = selectLayers(config, '');
    groupingFor(layers, 'group', options.groupSize);
    const [samples, length] = input.calibrationTokens.shape;
    const passes = 1 + (options.autoScale ? 1.2 * options.gridPoints : 0);
    const forward = forwardOperations(config, layers, samples, length);
    const rounding = weightWork(config, layers, 25e-9 * passes);
    const clipTokens = Math.min(2 * options.sampleTokens, samples * length);
    const steps = options.autoClip ? options.maxShrink * options.gridPoints : 0;
    const clip = 2 * weightCount(layers) * clipTokens * steps;
    const features = 4 * config.hiddenSize + 2 * config.intermediateSize;
    return {
      seconds: rounding.seconds + (passes * forward + clip) / 100e9 + 0.5,
      bytes: rounding.bytes + samples * length * features * 4,
    };
  },
  async run(input: QuantizeInput, options, context): Promise<QuantizedModel> {
    checkAwqInput(input);
    const { model } = input;
    const { config } = model;
    const layers = selectLayers(config, '');
    const grouping = groupingFor(layers, 'group', options.groupSize);
    const kind = options.zeroPoint ? 'group-asymmetric' : 'group-symmetric';
    const { bits, includeZero } = options;
    const settings: SearchSettings = {
      grid: grid({ bits, kind, includeZero, scales: 'float32' }),
      grouping,
      scale: options.autoScale,
      clip: options.autoClip,
      gridPoints: options.gridPoints,
      maxShrink: options.maxShrink,
      sampleTokens: options.sampleTokens,
    };
    const stored = grid({ bits, kind, includeZero });
    const key = runKey(input, options);
    const inspector = inspectorFor(config, context.threads);
    const matrices: Record<string, QuantizedMatrix> = {};
    const changed: Record<string, Tensor> = {};
    const choices: BlockChoice[] = [];
    const started = performance.now();
    const error = new WeightError();
    for await (const visit of floatPass(input, context)) {
      const { layer: index } = visit;
      context.progress({
        done: index,
        total: config.layers,
        label: `block ${index + 1} of ${config.layers}: scales and clips`,
        metrics: lastLoss(choices),
      });
      const place = `${key}-block-${index}`;
      const finished = await context.checkpoint.read(place);
      const choice = finished
        ? decodeChoice(finished)
        : await searchBlock(config, visit, settings, inspector, context);
      if (!finished) await context.checkpoint.write(place, encodeChoice(choice));
      choices.push(choice);
      const block = applyChoice(config, visit.parameters, choice);
      const prefix = blockPrefix(config, index);
      const linear = new Map(linearLayers(config).map((layer) => [layer.name, layer]));
      for (const [name, tensor] of Object.entries(block)) {
        const full = prefix + name;
        const layer = linear.get(name);
        if (!layer) {
          changed[full] = tensor;
          continue;
        }
        const divisors = inputScales(config, layer, choice.folds);
        const matrix: QuantizedMatrix = {
          ...quantizeMatrix(tensor, stored, grouping, full),
          ...(divisors ? { inputScales: divisors } : {}),
        };
        const { columns, rows } = foldedFactors(config, layer, choice.folds);
        error.add(visit.parameters[name], matrix, columns, rows);
        matrices[full] = matrix;
      }
      await pause(context);
    }
    context.progress({ done: config.layers, total: config.layers, label: 'quantized' });
    return assembleModel(model, {
      method: 'awq',
      matrices,
      changed,
      started,
      weightError: error.value(),
      report: awqReport(config, choices, options, matrices),
    });
  },
});

function checkAwqInput(input: QuantizeInput): void {
  checkInput(input);
  checkSampleCount(input, 1);
}

/** Raised when a search chooses otherwise than before: older checkpoints are not resumed. */
const searchVersion = 2;

/** Names the checkpoints of one run: search, model, text and options. */
function runKey(input: QuantizeInput, options: AwqOptions): string {
  const { data } = input.calibrationTokens;
  const tokens = sha256(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  const { fingerprint } = input.model;
  const parts = [searchVersion, fingerprint, tokens, JSON.stringify(options)];
  return `awq-${sha256(parts.join('\n')).slice(0, 16)}`;
}

/** The last searched group's best loss relative to plain rounding's. */
function lastLoss(choices: readonly BlockChoice[]): Record<string, number> {
  const fold = choices.at(-1)?.folds.at(-1);
  return fold ? { lossShare: Math.min(...fold.losses) / fold.losses[0] } : {};
}
