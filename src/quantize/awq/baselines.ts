/** The paper's baselines: a few columns in float16, and one fixed scale for them. */

import { type Grid, grid } from '../../array/quantizer/grid.ts';
import { groupSizeOf, roundTrip } from '../../array/quantizer/matrix.ts';
import { createRandom, splitRandom } from '../../array/random.ts';
import { float32, type Tensor } from '../../array/tensor.ts';
import { linearLayers } from '../../nn/decoder/linear-layers.ts';
import { memoryModel, readParameters } from '../../nn/memory-model.ts';
import type { LanguageModel } from '../../nn/model.ts';
import type { RunContext } from '../../nouns/run.ts';
import { floatPass, meanMagnitude } from '../float-pass.ts';
import type { QuantizeInput } from '../input.ts';
import { scaledRoundTrip } from './scale-search.ts';

export interface BaselineSettings {
  readonly bits: number;
  readonly groupSize: number;
  /** Share of the columns that are treated as salient; at least one of a layer. */
  readonly share: number;
}

/** What makes a column salient. */
export type Salience = 'activation' | 'weight' | 'random';

/**
 * The model rounded to nearest except for the salient columns of every layer, which stay in
 * float16 (AWQ, table 1). Columns are ranked by mean |x|, by the norm of their weights, or
 * drawn at random by `context.seed`.
 */
export async function keepSalientColumns(
  input: QuantizeInput,
  settings: BaselineSettings,
  by: Salience,
  context: RunContext,
): Promise<LanguageModel> {
  const chosen = grid({ bits: settings.bits });
  return roundedModel(input, context, (weight, magnitude, name) => {
    const columns = salientColumns(weight, magnitude, settings.share, by, name, context);
    const groupSize = groupSizeOf(settings.groupSize, weight.shape[1], name);
    return mixed(weight, chosen, groupSize, columns);
  });
}

/**
 * The model with the columns of largest mean |x| multiplied by a fixed scale before rounding
 * and divided by it afterwards (AWQ, table 2).
 */
export async function scaleSalientColumns(
  input: QuantizeInput,
  settings: BaselineSettings,
  factor: number,
  context: RunContext,
): Promise<LanguageModel> {
  const chosen = grid({ bits: settings.bits });
  return roundedModel(input, context, (weight, magnitude, name) => {
    const scales = new Float32Array(weight.shape[1]).fill(1);
    for (const column of largest(magnitude, count(weight, settings.share))) {
      scales[column] = factor;
    }
    const groupSize = groupSizeOf(settings.groupSize, weight.shape[1], name);
    return scaledRoundTrip(weight, scales, chosen, groupSize);
  });
}

async function roundedModel(
  input: QuantizeInput,
  context: RunContext,
  round: (weight: Tensor, magnitude: Float32Array, name: string) => Tensor,
): Promise<LanguageModel> {
  const { config, tokenizer } = input.model;
  const tensors = await readParameters(input.model);
  for await (const visit of floatPass(input, context)) {
    for (const layer of linearLayers(config)) {
      const name = visit.prefix + layer.name;
      tensors[name] = round(
        visit.parameters[layer.name],
        meanMagnitude(visit.taps[layer.tap]),
        name,
      );
    }
  }
  return memoryModel(config, tensors, tokenizer, 'baseline');
}

function salientColumns(
  weight: Tensor,
  magnitude: Float32Array,
  share: number,
  by: Salience,
  name: string,
  context: RunContext,
): number[] {
  const wanted = count(weight, share);
  const [rows, columns] = weight.shape;
  switch (by) {
    case 'activation':
      return largest(magnitude, wanted);
    case 'weight': {
      const norms = new Float32Array(columns);
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          norms[column] += weight.data[row * columns + column] ** 2;
        }
      }
      return largest(norms, wanted);
    }
    case 'random': {
      const random = createRandom(splitRandom(context.seed, `columns of ${name}`));
      const order = Int32Array.from({ length: columns }, (_, column) => column);
      return [...random.shuffle(order).subarray(0, wanted)];
    }
  }
}

function count(weight: Tensor, share: number): number {
  return Math.max(1, Math.round(weight.shape[1] * share));
}

/** Indices of the largest values; of equal ones the earlier. */
function largest(values: Float32Array, wanted: number): number[] {
  return Array.from(values.keys())
    .sort((a, b) => values[b] - values[a] || a - b)
    .slice(0, wanted);
}

function mixed(
  weight: Tensor,
  chosen: Grid,
  groupSize: number,
  kept: readonly number[],
): Tensor {
  const [rows, columns] = weight.shape;
  const data = roundTrip(weight.data, groupSize, chosen);
  for (let row = 0; row < rows; row++) {
    for (const column of kept) {
      const place = row * columns + column;
      data[place] = Math.f16round(weight.data[place]);
    }
  }
  return float32(weight.shape, data);
}
