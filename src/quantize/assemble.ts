/** Puts a quantized model together from what a method found. */

import { setImmediate } from 'node:timers/promises';
import type { QuantizedMatrix } from '../array/quantized.ts';
import { largestFloat16 } from '../array/quantizer/rounding.ts';
import { checkFinite, float32, type Tensor } from '../array/tensor.ts';
import { throwIfCancelled } from '../error.ts';
import { parameterShapes } from '../nn/decoder/parameters.ts';
import type { LanguageModel } from '../nn/model.ts';
import type { ActivationRange, QuantizedModel } from '../nn/quantized.ts';
import type { RunContext } from '../nouns/run.ts';

export interface Findings {
  readonly method: string;
  readonly matrices: Readonly<Record<string, QuantizedMatrix>>;
  /** Parameters that the method changed without quantizing them. */
  readonly changed?: Readonly<Record<string, Tensor>>;
  readonly activations?: Readonly<Record<string, ActivationRange>>;
  /** Relative Frobenius error of all quantized weights together. */
  readonly weightError: number;
  /** `performance.now()` when the method began. */
  readonly started: number;
  readonly report: Readonly<Record<string, unknown>>;
}

/**
 * The quantized model: matrices as found, every other parameter rounded to float16, the
 * type it is stored in, so that what is measured is what is written. A tensor with numbers
 * beyond float16's range stays in float32.
 */
export async function assembleModel(
  model: LanguageModel,
  findings: Findings,
): Promise<QuantizedModel> {
  const floats: Record<string, Tensor> = {};
  for (const name of Object.keys(parameterShapes(model.config))) {
    if (findings.matrices[name]) continue;
    const tensor = findings.changed?.[name] ?? (await model.parameters.read(name));
    checkFinite(name, tensor);
    floats[name] = storedFloats(tensor);
  }
  return {
    config: model.config,
    tokenizer: model.tokenizer,
    method: findings.method,
    matrices: findings.matrices,
    floats,
    activations: findings.activations ?? {},
    report: {
      ...findings.report,
      weightError: findings.weightError,
      seconds: (performance.now() - findings.started) / 1000,
    },
  };
}

/** A copy rounded to float16 when all its numbers fit, else an exact copy. */
export function storedFloats(tensor: Tensor): Tensor {
  const fits = tensor.data.every((value) => Math.abs(value) <= largestFloat16);
  return float32(
    tensor.shape,
    fits ? tensor.data.map(Math.f16round) : tensor.data.slice(),
  );
}

/** Lets pending events (a cancellation, a progress request) in, then checks the signal. */
export async function pause(context: RunContext): Promise<void> {
  await setImmediate();
  throwIfCancelled(context.signal);
}
