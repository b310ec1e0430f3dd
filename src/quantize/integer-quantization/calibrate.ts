/** Quantization grids for the input of every linear layer, from the calibration text. */

import { chooseAffine } from '../../array/quantizer/affine.ts';
import { linearLayers, type TapName } from '../../nn/decoder/linear-layers.ts';
import type { ActivationRange } from '../../nn/quantized.ts';
import type { RunContext } from '../../nouns/run.ts';
import { floatPass } from '../float-pass.ts';
import type { QuantizeInput } from '../input.ts';
import { activationRange, type RangeRule } from './ranges.ts';

/**
 * One grid for each input of a linear layer, by the layer's parameter name; layers that read
 * the same input share it. Each calibration sample is one batch. Scales are rounded to
 * float32, in which they are stored.
 */
export async function calibrateActivations(
  input: QuantizeInput,
  bits: number,
  rule: RangeRule,
  context: RunContext,
): Promise<Record<string, ActivationRange>> {
  const { config } = input.model;
  const found: Record<string, ActivationRange> = {};
  for await (const visit of floatPass(input, context)) {
    context.progress({
      done: visit.layer,
      total: config.layers,
      label: `block ${visit.layer + 1} of ${config.layers}: activation ranges`,
    });
    const grids = new Map<TapName, ActivationRange>();
    for (const layer of linearLayers(config)) {
      let grid = grids.get(layer.tap);
      if (!grid) {
        const name = `calibration activations ${visit.prefix}${layer.tap}`;
        const range = activationRange(visit.taps[layer.tap], rule, bits, name);
        grid = activationGrid(range.low, range.high, bits);
        grids.set(layer.tap, grid);
      }
      found[visit.prefix + layer.name] = grid;
    }
  }
  return found;
}

/** The grid of a range, its scale a float32. */
export function activationGrid(low: number, high: number, bits: number): ActivationRange {
  const { scale, zero } = chooseAffine(low, high, bits);
  return { bits, scale: Math.fround(scale), zero };
}
