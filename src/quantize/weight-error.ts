/** How far quantized weights are from the original ones, over all layers together. */

import type { QuantizedMatrix } from '../array/quantized.ts';
import { dequantizeMatrix } from '../array/quantizer/matrix.ts';
import type { Tensor } from '../array/tensor.ts';

/** What rounding did to one layer. */
export interface LayerError {
  /** Range of the original weights, 0 included. */
  readonly low: number;
  readonly high: number;
  /** Signal-to-quantization-noise ratio in decibels; null for an exact copy. */
  readonly signalToNoise: number | null;
}

/** Sums squared differences and squares over layers. */
export class WeightError {
  #difference = 0;
  #norm = 0;

  /**
   * Adds one layer. Where scales were folded into the weights the factors take them out
   * again: `dequantized[o, i] / columns[i] * rows[o]` is compared with the original.
   */
  add(
    original: Tensor,
    matrix: QuantizedMatrix,
    columns?: Float32Array,
    rows?: ArrayLike<number>,
  ): LayerError {
    const { data } = dequantizeMatrix(matrix);
    const width = matrix.shape[1];
    const layer = { low: 0, high: 0, difference: 0, norm: 0 };
    for (let index = 0; index < data.length; index++) {
      const column = columns ? columns[index % width] : 1;
      const row = rows ? rows[Math.floor(index / width)] : 1;
      const value = original.data[index];
      layer.low = Math.min(layer.low, value);
      layer.high = Math.max(layer.high, value);
      layer.difference += ((data[index] / column) * row - value) ** 2;
      layer.norm += value ** 2;
    }
    this.#difference += layer.difference;
    this.#norm += layer.norm;
    const exact = layer.difference === 0;
    return {
      low: layer.low,
      high: layer.high,
      signalToNoise: exact ? null : 10 * Math.log10(layer.norm / layer.difference),
    };
  }

  /** Relative Frobenius norm of the difference. */
  value(): number {
    return this.#difference === 0 ? 0 : Math.sqrt(this.#difference / this.#norm);
  }
}
