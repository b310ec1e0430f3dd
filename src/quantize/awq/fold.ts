/** Moves input scales into the weights that read them and out of what comes before. */

import { float32, type Tensor } from '../../array/tensor.ts';
import type { Absorber, FoldGroup } from '../../nn/decoder/linear-layers.ts';

/** Parameters of one block by local name. */
export type BlockParameters = Readonly<Record<string, Tensor>>;

/**
 * Whether a group's layer divides its own input by the scales, as nothing before it can: the
 * one after GELU (AWQ's scaled activation). Attended values that several query heads share
 * are not scaled, as in the official search.
 */
export function dividesInput(group: FoldGroup): boolean {
  return group.absorber === null && group.tap === 'activated';
}

/** The block with the columns of `layers` multiplied by `scales`, and nothing divided. */
export function scaleLayers(
  parameters: BlockParameters,
  layers: readonly string[],
  scales: Float32Array,
): Record<string, Tensor> {
  const scaled: Record<string, Tensor> = { ...parameters };
  for (const name of layers) {
    scaled[name] = float32(scaled[name].shape, scaleColumns(scaled[name].data, scales));
  }
  return scaled;
}

/**
 * The block with the columns of `layers` multiplied by `scales` and the absorber divided by
 * them: a norm's weight and bias, or the rows from `firstRow` of a linear layer and their
 * biases. The block computes the same function. The input is not changed.
 */
export function foldScales(
  parameters: BlockParameters,
  layers: readonly string[],
  absorber: Absorber,
  scales: Float32Array,
): Record<string, Tensor> {
  const folded = scaleLayers(parameters, layers, scales);
  const divide = (name: string, first: number, width: number): void => {
    const tensor = folded[name];
    const data = tensor.data.slice();
    for (let channel = 0; channel < scales.length; channel++) {
      const start = (first + channel) * width;
      for (let index = start; index < start + width; index++) {
        data[index] /= scales[channel];
      }
    }
    folded[name] = float32(tensor.shape, data);
  };
  const first = absorber.kind === 'norm' ? 0 : absorber.firstRow;
  const width = absorber.kind === 'norm' ? 1 : folded[absorber.weight].shape[1];
  divide(absorber.weight, first, width);
  if (absorber.bias !== null) divide(absorber.bias, first, 1);
  return folded;
}

/** Every row of `[rows, scales.length]` data times the scales. */
export function scaleColumns(data: Float32Array, scales: Float32Array): Float32Array {
  const scaled = new Float32Array(data.length);
  for (let start = 0; start < data.length; start += scales.length) {
    for (let column = 0; column < scales.length; column++) {
      scaled[start + column] = data[start + column] * scales[column];
    }
  }
  return scaled;
}

/** Every row of `[..., scales.length]` data divided by the scales. */
export function divideFeatures(tensor: Tensor, scales: Float32Array): Tensor {
  const inverse = scales.map((scale) => 1 / scale);
  return float32(tensor.shape, scaleColumns(tensor.data, inverse));
}
