/** What a quantization method is given, and the checks that all methods share. */

import { checkFinite, type Tensor } from '../array/tensor.ts';
import { InvalidInputError } from '../error.ts';
import type { VisitedBlock } from '../nn/calibrate.ts';
import { parameterShapes } from '../nn/decoder/parameters.ts';
import type { LanguageModel, LanguageModelConfig } from '../nn/model.ts';

export interface QuantizeInput {
  readonly model: LanguageModel;
  /** `[samples, length]` token ids that methods may look at. */
  readonly calibrationTokens: Tensor<'int32'>;
  /** Token ids that perplexity is measured on; never shown to a method. */
  readonly evaluationTokens: Int32Array;
}

/**
 * Refuses a model whose parameters do not fit its configuration and calibration tokens that
 * are missing or outside the vocabulary. Reads no weights.
 */
export function checkInput(input: QuantizeInput): void {
  checkShapes(input.model);
  checkCalibration(input.calibrationTokens, input.model.config);
}

function checkShapes({ config, parameters }: LanguageModel): void {
  const names = new Set(parameters.names);
  for (const [name, expected] of Object.entries(parameterShapes(config))) {
    const wanted = `shape [${expected.join(', ')}]`;
    if (!names.has(name)) {
      throw new InvalidInputError(name, `a tensor of ${wanted}`, 'no such tensor');
    }
    const { dtype, shape } = parameters.describe(name);
    if (
      shape.length !== expected.length ||
      shape.some((size, i) => size !== expected[i])
    ) {
      throw new InvalidInputError(name, wanted, `shape [${shape.join(', ')}]`);
    }
    if (!['float32', 'float16', 'bfloat16'].includes(dtype)) {
      throw new InvalidInputError(name, 'dtype float32, float16 or bfloat16', dtype);
    }
  }
}

function checkCalibration(tokens: Tensor<'int32'>, config: LanguageModelConfig): void {
  const name = 'calibrationTokens';
  const { shape, data } = tokens;
  if (tokens.dtype !== 'int32' || !(data instanceof Int32Array)) {
    const received = `dtype ${tokens.dtype} in ${data?.constructor?.name ?? typeof data}`;
    throw new InvalidInputError(name, 'dtype int32 in an Int32Array', received);
  }
  const [samples = 0, length = 0] = shape;
  if (shape.length !== 2 || samples * length !== data.length || data.length === 0) {
    throw new InvalidInputError(
      name,
      'at least one token, shape [samples, length]',
      `empty or ill-shaped: shape [${shape.join(', ')}] with ${data.length} tokens`,
    );
  }
  if (length < 2) {
    throw new InvalidInputError(name, 'samples of at least 2 tokens', `length ${length}`);
  }
  for (let index = 0; index < data.length; index++) {
    if (data[index] < 0 || data[index] >= config.vocabularySize) {
      throw new InvalidInputError(
        name,
        `token ids from 0 to ${config.vocabularySize - 1}, the vocabulary`,
        `token ${data[index]} at sample ${Math.floor(index / length)}, ` +
          `position ${index % length}`,
      );
    }
  }
}

/** Refuses fewer calibration samples than a method needs. */
export function checkSampleCount(input: QuantizeInput, needed: number): void {
  const [samples] = input.calibrationTokens.shape;
  if (samples < needed) {
    throw new InvalidInputError(
      'calibrationTokens',
      `at least ${needed} samples`,
      `${samples}`,
    );
  }
}

/** Reads one parameter and refuses NaN and infinity by its name. */
export async function readFinite(model: LanguageModel, name: string): Promise<Tensor> {
  const tensor = await model.parameters.read(name);
  checkFinite(name, tensor);
  return tensor;
}

/** Refuses NaN and infinity in a block's parameters and in what it computed. */
export function checkFiniteBlock(visit: VisitedBlock): void {
  for (const [name, tensor] of Object.entries(visit.parameters)) {
    checkFinite(visit.prefix + name, tensor);
  }
  for (const [tap, tensor] of Object.entries(visit.taps)) {
    checkFinite(`calibration activations ${visit.prefix}${tap}`, tensor);
  }
}
