/** A linear layer in integers only, and its twin in floats on the same grids. */

import type { QuantizedMatrix } from '../../array/quantized.ts';
import { type Affine, affineCodes, affineValues } from '../../array/quantizer/affine.ts';
import {
  type FixedPointScale,
  fixedPointScale,
} from '../../array/quantizer/fixed-point.ts';
import {
  type CodeMatrix,
  integerProduct,
  requantize,
} from '../../array/quantizer/integer-matmul.ts';
import { dequantizeMatrix } from '../../array/quantizer/matrix.ts';
import { roundHalfAway } from '../../array/quantizer/rounding.ts';
import { float32, type Tensor } from '../../array/tensor.ts';
import { InvalidInputError } from '../../error.ts';

/** All an integer-only device needs for one layer. */
export interface IntegerLinear {
  readonly weight: QuantizedMatrix;
  readonly input: Affine;
  readonly output: Affine;
  /** Codes of scale `weightScale * inputScale`, zero point 0. */
  readonly bias: Int32Array;
  /** One for each output channel. */
  readonly scales: readonly FixedPointScale[];
}

/**
 * Prepares a layer (whitepaper, section 2.5): the bias on the accumulator's scale and each
 * channel's `weightScale * inputScale / outputScale` as a fixed-point number.
 * Throws when the weights have more than one scale a row, which cannot leave the sum.
 */
export function integerLinear(
  weight: QuantizedMatrix,
  bias: Float32Array | null,
  input: Affine,
  output: Affine,
): IntegerLinear {
  const [channels, inputs] = weight.shape;
  if (weight.groupSize !== inputs) {
    throw new InvalidInputError(
      'weight',
      'one scale a row: groups would need rescaling inside the accumulation',
      `groups of ${weight.groupSize}`,
    );
  }
  const codes = new Int32Array(channels);
  const scales: FixedPointScale[] = [];
  for (let channel = 0; channel < channels; channel++) {
    const accumulator = weight.scales[channel] * input.scale;
    scales.push(fixedPointScale(accumulator / output.scale));
    const code = roundHalfAway((bias?.[channel] ?? 0) / accumulator);
    codes[channel] = Math.min(Math.max(code, -(2 ** 31)), 2 ** 31 - 1);
  }
  return { weight, input, output, bias: codes, scales };
}

/** Output codes `[tokens, channels]` of input codes `[tokens, inputs]`: no float is used. */
export function runIntegerLinear(layer: IntegerLinear, codes: Int32Array): Int32Array {
  const [channels, inputs] = layer.weight.shape;
  const left: CodeMatrix = {
    rows: codes.length / inputs,
    columns: inputs,
    codes,
    zero: layer.input.zero,
  };
  const right: CodeMatrix = {
    rows: channels,
    columns: inputs,
    codes: layer.weight.codes,
    zero: 0,
  };
  const sums = integerProduct(left, right, layer.weight.zeros);
  return requantize(sums, channels, layer.bias, layer.scales, layer.output);
}

/** The same layer on dequantized numbers, output codes by rounding: fake quantization. */
export function simulateLinear(layer: IntegerLinear, codes: Int32Array): Int32Array {
  const [channels, inputs] = layer.weight.shape;
  const x = affineValues(codes, layer.input);
  const weight = dequantizeMatrix(layer.weight).data;
  const tokens = codes.length / inputs;
  const y = new Float64Array(tokens * channels);
  for (let token = 0; token < tokens; token++) {
    for (let channel = 0; channel < channels; channel++) {
      let sum = layer.bias[channel] * layer.weight.scales[channel] * layer.input.scale;
      for (let index = 0; index < inputs; index++) {
        sum += x[token * inputs + index] * weight[channel * inputs + index];
      }
      y[token * channels + channel] = sum;
    }
  }
  return affineCodes(y, layer.output);
}

/** Float output `x W^T + bias`, `[tokens, channels]`, for choosing output ranges. */
export function floatLinear(
  x: Tensor,
  weight: Tensor,
  bias: Float32Array | null,
): Tensor {
  const [tokens, inputs] = x.shape;
  const channels = weight.shape[0];
  const output = float32([tokens, channels]);
  for (let token = 0; token < tokens; token++) {
    for (let channel = 0; channel < channels; channel++) {
      let sum = bias?.[channel] ?? 0;
      for (let index = 0; index < inputs; index++) {
        sum += x.data[token * inputs + index] * weight.data[channel * inputs + index];
      }
      output.data[token * channels + channel] = sum;
    }
  }
  return output;
}
