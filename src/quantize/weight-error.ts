/** How far quantized weights are from the original ones, over all layers together. */

import type { QuantizedMatrix } from '../array/quantized.ts';
import { dequantizeMatrix } from '../array/quantizer/matrix.ts';
import type { Tensor } from '../array/tensor.ts';

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
  ): void {
    const { data } = dequantizeMatrix(matrix);
    const width = matrix.shape[1];
    for (let index = 0; index < data.length; index++) {
      const column = columns ? columns[index % width] : 1;
      const row = rows ? rows[Math.floor(index / width)] : 1;
      const value = original.data[index];
      this.#difference += ((data[index] / column) * row - value) ** 2;
      this.#norm += value ** 2;
    }
  }

  /** Relative Frobenius norm of the difference. */
  value(): number {
    return this.#difference === 0 ? 0 : Math.sqrt(this.#difference / this.#norm);
  }
}
