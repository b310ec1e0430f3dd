/** Language models over tensors in memory. */

import type { Tensor } from '../array/tensor.ts';
import type { Tokenizer } from '../data/tokenizer.ts';
import { InvalidInputError } from '../error.ts';
import { sha256 } from '../format/hash.ts';
import { bytesOf } from '../format/stored-values.ts';
import { parameterShapes } from './decoder/parameters.ts';
import {
  type LanguageModel,
  type LanguageModelConfig,
  memoryParameters,
} from './model.ts';

/**
 * A model over tensors under full names, linear weights `[out, in]`. Its fingerprint hashes
 * the configuration and every tensor.
 * @throws InvalidInputError for a missing tensor or a wrong shape.
 */
export async function memoryModel(
  config: LanguageModelConfig,
  tensors: Readonly<Record<string, Tensor>>,
  tokenizer: Tokenizer | null,
  name = 'memory',
): Promise<LanguageModel> {
  const ordered: Record<string, Tensor> = {};
  const hashes: [string, string][] = [];
  for (const [parameter, shape] of Object.entries(parameterShapes(config))) {
    const tensor = tensors[parameter];
    const received = tensor ? `shape [${tensor.shape.join(', ')}]` : 'no such tensor';
    if (tensor?.shape.join() !== shape.join()) {
      throw new InvalidInputError(parameter, `shape [${shape.join(', ')}]`, received);
    }
    ordered[parameter] = tensor;
    hashes.push([parameter, sha256(bytesOf(tensor.data))]);
  }
  return {
    config,
    parameters: memoryParameters(ordered),
    tokenizer,
    name,
    fingerprint: sha256(JSON.stringify([config, hashes])),
  };
}

/** Every parameter of a model, read into memory under its full name. */
export async function readParameters(
  model: LanguageModel,
): Promise<Record<string, Tensor>> {
  const tensors: Record<string, Tensor> = {};
  for (const name of model.parameters.names) {
    tensors[name] = await model.parameters.read(name);
  }
  return tensors;
}
