/** One quantized matrix: integer codes with a scale and a zero point for each group of inputs. */

/**
 * One quantized matrix `[outFeatures, inFeatures]`:
 * `weight[o, i] = (codes[o, i] - zeros[o, g]) * scales[o, g] / inputScales[i]` with
 * `g = floor(i / groupSize)`, and without the division where there are no input scales.
 */
export interface QuantizedMatrix {
  readonly shape: readonly [outFeatures: number, inFeatures: number];
  readonly bits: number;
  /** Consecutive inputs that share a scale; equal to `inFeatures` for one scale a row. */
  readonly groupSize: number;
  /** Unsigned codes, one a byte in memory (packed on disk): `0 .. 2^bits - 1`. */
  readonly codes: Uint8Array;
  /** `[outFeatures, groups]`, representable in float16 where the format needs it. */
  readonly scales: Float32Array;
  /** `[outFeatures, groups]`, unsigned like the codes. Symmetric grids use `2^(bits-1)`. */
  readonly zeros: Uint8Array;
  readonly symmetric: boolean;
  /** One scale for the whole matrix (then every entry of `scales` is equal and one is stored). */
  readonly perTensor: boolean;
  /**
   * `[inFeatures]`, positive and representable in float16: the layer's input is divided by
   * them before the product.
   */
  readonly inputScales?: Float32Array;
}
