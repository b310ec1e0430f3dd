/** Folding batch normalisation into the linear layer before it, at inference and in training. */

import { fakeQuantize } from '../../array/quantizer/affine.ts';
import { float32, type Tensor } from '../../array/tensor.ts';
import { InvalidInputError } from '../../error.ts';

/** Parameters of a batch normalisation over output channels. */
export interface BatchNorm {
  readonly gamma: Float32Array;
  readonly beta: Float32Array;
  readonly mean: Float32Array;
  readonly variance: Float32Array;
  readonly epsilon: number;
}

/** A linear layer `y = x W^T + bias`. */
export interface FoldedLayer {
  readonly weight: Tensor;
  readonly bias: Float32Array;
}

/** Turns the weights that are about to be used into those the quantizer would give. */
export type WeightQuantizer = (weight: Tensor) => Tensor;

/** Symmetric weights, one scale an output channel, codes in [-highest, highest]. */
export function perChannelWeights(bits: number): WeightQuantizer {
  return (weight) => {
    const [channels, inputs] = weight.shape;
    const highest = 2 ** (bits - 1) - 1;
    const data = new Float32Array(weight.data.length);
    for (let channel = 0; channel < channels; channel++) {
      const row = weight.data.subarray(channel * inputs, (channel + 1) * inputs);
      let reach = 0;
      for (const value of row) reach = Math.max(reach, Math.abs(value));
      const scale = reach / highest || 1;
      const affine = { scale, zero: 0, lowest: -highest, highest };
      data.set(fakeQuantize(row, affine, 'half-even'), channel * inputs);
    }
    return float32(weight.shape, data);
  };
}

/** Inference folding: `W = gamma W / sigma`, `bias = beta - gamma mu / sigma` (step 7). */
export function foldBatchNorm(weight: Tensor, norm: BatchNorm): FoldedLayer {
  const factor = deviations(norm.variance, norm.epsilon).map((s, c) => norm.gamma[c] / s);
  return {
    weight: scaleRows(weight, factor),
    bias: norm.beta.map((beta, channel) => beta - factor[channel] * norm.mean[channel]),
  };
}

/**
 * One training step's output of a linear layer followed by batch normalisation, with the
 * weights scaled by the long-term statistics before they are quantized so that their range
 * does not move from batch to batch (whitepaper, section 3.2.2).
 * `frozen` false: equal to true batch normalisation; true: equal to the inference one.
 * `x` is `[batch, inputs]`, `weight` `[channels, inputs]`; the output `[batch, channels]`.
 */
export function correctedBatchNorm(
  x: Tensor,
  weight: Tensor,
  norm: BatchNorm,
  frozen: boolean,
  quantize: WeightQuantizer,
): { readonly weight: Tensor; readonly output: Tensor } {
  const [batch] = x.shape;
  const [channels] = weight.shape;
  if (x.shape[1] !== weight.shape[1]) {
    throw new InvalidInputError(
      'x',
      `${weight.shape[1]} columns, the inputs of the layer`,
      `${x.shape[1]}`,
    );
  }
  const batchStatistics = momentsOf(linear(x, weight));
  const sigmaBatch = deviations(batchStatistics.variance, norm.epsilon);
  const sigma = deviations(norm.variance, norm.epsilon);
  const correction = sigmaBatch.map((value, channel) => value / sigma[channel]);
  const scaled = scaleRows(
    weight,
    correction.map((c, channel) => (c * norm.gamma[channel]) / sigmaBatch[channel]),
  );
  const output = linear(x, quantize(scaled));
  for (let row = 0; row < batch; row++) {
    for (let channel = 0; channel < channels; channel++) {
      const gamma = norm.gamma[channel];
      const meanBatch = batchStatistics.mean[channel] / sigmaBatch[channel];
      const bias = norm.beta[channel] - gamma * meanBatch;
      const place = row * channels + channel;
      output.data[place] = frozen
        ? output.data[place] +
          bias +
          gamma * (meanBatch - norm.mean[channel] / sigma[channel])
        : output.data[place] / correction[channel] + bias;
    }
  }
  return { weight: scaled, output };
}

function linear(x: Tensor, weight: Tensor): Tensor {
  const [batch, inputs] = x.shape;
  const [channels] = weight.shape;
  const output = float32([batch, channels]);
  for (let row = 0; row < batch; row++) {
    for (let channel = 0; channel < channels; channel++) {
      let sum = 0;
      for (let index = 0; index < inputs; index++) {
        sum += x.data[row * inputs + index] * weight.data[channel * inputs + index];
      }
      output.data[row * channels + channel] = sum;
    }
  }
  return output;
}

/** Mean and biased variance of every column. */
function momentsOf(values: Tensor): { mean: Float64Array; variance: Float64Array } {
  const [rows, columns] = values.shape;
  const mean = new Float64Array(columns);
  const variance = new Float64Array(columns);
  for (let index = 0; index < values.data.length; index++) {
    mean[index % columns] += values.data[index] / rows;
  }
  for (let index = 0; index < values.data.length; index++) {
    variance[index % columns] += (values.data[index] - mean[index % columns]) ** 2 / rows;
  }
  return { mean, variance };
}

/** `sqrt(variance + epsilon)`: the floor that keeps dead channels finite. */
function deviations(variance: ArrayLike<number>, epsilon: number): Float64Array {
  return Float64Array.from(variance, (value) => Math.sqrt(value + epsilon));
}

function scaleRows(weight: Tensor, factors: ArrayLike<number>): Tensor {
  const inputs = weight.shape[1];
  const scaled = weight.data.map((v, index) => v * factors[Math.floor(index / inputs)]);
  return float32(weight.shape, scaled);
}
