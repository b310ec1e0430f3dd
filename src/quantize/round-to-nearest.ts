/** Round-to-nearest: the baseline that every quantization method must beat. */

import { z } from 'zod';
import type { QuantizedMatrix } from '../array/quantized.ts';
import { grid } from '../array/quantizer/grid.ts';
import { quantizeMatrix } from '../array/quantizer/matrix.ts';
import type { QuantizedModel } from '../nn/quantized.ts';
import { defineMethod } from '../nouns/method.ts';
import { assembleModel, pause } from './assemble.ts';
import { weightWork } from './estimate.ts';
import { checkInput, type QuantizeInput, readFinite } from './input.ts';
import { groupingFor, selectLayers } from './layers.ts';
import { WeightError } from './weight-error.ts';

export const roundToNearestOptions = z.object({
  bits: z.int().min(2).max(8).default(4).describe('Bits of a weight, 2 to 8.'),
  scheme: z
    .enum(['asymmetric', 'symmetric'])
    .default('asymmetric')
    .describe(
      'Asymmetric grids have a zero point for each scale, symmetric ones do not.',
    ),
  granularity: z
    .enum(['group', 'per-channel', 'per-tensor'])
    .default('group')
    .describe(
      'What shares one scale: a group of inputs, a whole output row, the matrix.',
    ),
  groupSize: z
    .int()
    .min(-1)
    .default(0)
    .describe(
      'Consecutive inputs that share a scale; 0 takes 128, or 64 or 32 where 128 does not ' +
        'divide every layer, else whole rows; -1 takes whole rows.',
    ),
  layers: z
    .string()
    .default('')
    .describe(
      'Words, separated by commas, of which a layer name must contain one, such as ' +
        '"mlp"; empty for all linear layers of the blocks. Embeddings and output head ' +
        'stay in float16.',
    ),
});

export const roundToNearest = defineMethod({
  name: 'round-to-nearest',
  task: 'quantize',
  title: 'Round to nearest',
  summary:
    'Rounds every weight to the nearest point of its group’s integer grid. Needs no ' +
    'calibration text and takes seconds; the measure for every other method.',
  options: roundToNearestOptions,
  estimate(input: QuantizeInput, options) {
    checkInput(input);
    const layers = selectLayers(input.model.config, options.layers);
    groupingFor(layers, options.granularity, options.groupSize);
    return weightWork(input.model.config, layers, 15e-9);
  },
  async run(input: QuantizeInput, options, context): Promise<QuantizedModel> {
    checkInput(input);
    const { model } = input;
    const layers = selectLayers(model.config, options.layers);
    const grouping = groupingFor(layers, options.granularity, options.groupSize);
    const kind = options.scheme === 'symmetric' ? 'group-symmetric' : 'group-asymmetric';
    const chosen = grid({ bits: options.bits, kind });
    const started = performance.now();
    const matrices: Record<string, QuantizedMatrix> = {};
    const error = new WeightError();
    for (const [index, layer] of layers.entries()) {
      await pause(context);
      context.progress({
        done: index,
        total: layers.length,
        label: `rounding ${layer.name}`,
      });
      const weight = await readFinite(model, layer.name);
      const matrix = quantizeMatrix(weight, chosen, grouping, layer.name);
      error.add(weight, matrix);
      matrices[layer.name] = matrix;
    }
    context.progress({ done: layers.length, total: layers.length, label: 'rounded' });
    return assembleModel(model, {
      method: 'round-to-nearest',
      matrices,
      started,
      weightError: error.value(),
      report: { bits: options.bits, grouping },
    });
  },
});
