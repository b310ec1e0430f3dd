/** Weight grids of the integer-quantization whitepaper. */

import type { QuantizedMatrix } from '../../array/quantized.ts';
import { type Grid, grid } from '../../array/quantizer/grid.ts';
import { quantizeMatrix } from '../../array/quantizer/matrix.ts';
import type { Tensor } from '../../array/tensor.ts';

export interface WeightSettings {
  readonly weightBits: number;
  readonly weightScheme: 'symmetric' | 'asymmetric';
  readonly granularity: 'per-channel' | 'per-layer';
  readonly restrictedRange: boolean;
}

export function weightGrid(settings: WeightSettings): Grid {
  return grid({
    bits: settings.weightBits,
    kind: settings.weightScheme === 'symmetric' ? 'symmetric' : 'affine',
    restrictedRange: settings.restrictedRange,
  });
}

/** One scale an output channel, or one for the layer (whitepaper, section 3.1). */
export function quantizeWeights(
  weight: Tensor,
  settings: WeightSettings,
  name: string,
): QuantizedMatrix {
  const grouping = settings.granularity === 'per-layer' ? 'tensor' : 'row';
  return quantizeMatrix(weight, weightGrid(settings), grouping, name);
}
