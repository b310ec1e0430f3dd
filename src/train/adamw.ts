/** AdamW: Adam with weight decay that does not pass through the moments (arXiv 1711.05101). */

import { float32, type Tensor } from '../array/tensor.ts';
import { InvalidInputError } from '../error.ts';

export interface AdamWOptions {
  /** Decay of the mean of gradients. */
  readonly beta1: number;
  /** Decay of the mean of squared gradients. */
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
}

/** Moments by parameter name; `step` counts the updates made. */
export interface AdamWState {
  step: number;
  readonly mean: Record<string, Tensor>;
  readonly square: Record<string, Tensor>;
}

/** Zero moments for a record of parameters. */
export function adamWState(parameters: Readonly<Record<string, Tensor>>): AdamWState {
  const zeros = (): Record<string, Tensor> =>
    Object.fromEntries(
      Object.entries(parameters).map(([name, { shape }]) => [name, float32(shape)]),
    );
  return { step: 0, mean: zeros(), square: zeros() };
}

/**
 * One update, in place on the parameters and the state (algorithm 2 of the paper):
 * `p -= rate * (m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) + decay * p)`.
 * `decayed` says which parameters decay; `scale` multiplies every gradient.
 */
export function adamWStep(
  parameters: Readonly<Record<string, Tensor>>,
  gradients: Readonly<Record<string, Tensor>>,
  state: AdamWState,
  rate: number,
  options: AdamWOptions,
  decayed: ReadonlySet<string>,
  scale = 1,
): void {
  const { beta1, beta2, epsilon, weightDecay } = options;
  state.step++;
  const meanCorrection = 1 / (1 - beta1 ** state.step);
  const squareCorrection = 1 / (1 - beta2 ** state.step);
  for (const [name, parameter] of Object.entries(parameters)) {
    const gradient = gradients[name]?.data;
    if (gradient?.length !== parameter.data.length) {
      throw new InvalidInputError(
        `gradient of ${name}`,
        `${parameter.data.length} numbers`,
        `${gradient?.length ?? 'none'}`,
      );
    }
    const values = parameter.data;
    const mean = state.mean[name]!.data;
    const square = state.square[name]!.data;
    const shrink = 1 - rate * (decayed.has(name) ? weightDecay : 0);
    for (let index = 0; index < values.length; index++) {
      const slope = gradient[index]! * scale;
      const first = beta1 * mean[index]! + (1 - beta1) * slope;
      const second = beta2 * square[index]! + (1 - beta2) * slope * slope;
      mean[index] = first;
      square[index] = second;
      const update =
        (first * meanCorrection) / (Math.sqrt(second * squareCorrection) + epsilon);
      values[index] = values[index]! * shrink - rate * update;
    }
  }
}

/** Euclidean norm of all gradients together. */
export function globalNorm(gradients: Readonly<Record<string, Tensor>>): number {
  let sum = 0;
  for (const { data } of Object.values(gradients)) {
    for (let index = 0; index < data.length; index++) sum += data[index]! * data[index]!;
  }
  return Math.sqrt(sum);
}

/** Factor that brings a gradient of this norm down to `limit`; 1 when it is within. */
export function clippingScale(norm: number, limit: number): number {
  return norm > limit ? limit / norm : 1;
}
