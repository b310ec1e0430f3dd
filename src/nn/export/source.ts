/** One view of the two kinds of model that can be exported: float and quantized. */

import type { QuantizedMatrix } from '../../array/quantized.ts';
import { checkFinite, float32, type Shape, type Tensor } from '../../array/tensor.ts';
import type { Tokenizer } from '../../data/tokenizer.ts';
import { InvalidInputError } from '../../error.ts';
import {
  checkQuantizedMatrix,
  dequantizedValues,
} from '../../format/quantized-matrix.ts';
import type { Progress } from '../../nouns/run.ts';
import { parameterShapes } from '../decoder/parameters.ts';
import type { LanguageModel, LanguageModelConfig } from '../model.ts';
import type { ActivationRange, QuantizedModel } from '../quantized.ts';

export type ExportableModel = LanguageModel | QuantizedModel;

/** What an export may use from its surroundings; a `RunContext` fits. */
export interface ExportContext {
  readonly signal?: AbortSignal | undefined;
  progress?(update: Progress): void;
}

/** A model as the writers see it: parameters by name, read one at a time. */
export interface ExportSource {
  readonly config: LanguageModelConfig;
  readonly tokenizer: Tokenizer | null;
  /** Name for people. */
  readonly name: string;
  readonly quantized: boolean;
  /** Shapes of all parameters, linear weights as `[outFeatures, inFeatures]`. */
  readonly shapes: Readonly<Record<string, Shape>>;
  /** Codes of a quantized weight; undefined for a float one. */
  matrix(name: string): QuantizedMatrix | undefined;
  /** Quantization of the input of a linear layer, by the name of its weight. */
  activation(name: string): ActivationRange | undefined;
  /** The parameter as float32, dequantized where it is quantized. */
  read(name: string): Promise<Tensor>;
}

/**
 * The common view of a float or quantized model.
 * `read` throws `InvalidInputError` for a parameter that is missing, of another shape than
 * the configuration says, or not finite.
 */
export function exportSource(model: ExportableModel): ExportSource {
  const { config, tokenizer } = model;
  const shapes = parameterShapes(config);
  const matrices = 'matrices' in model ? model.matrices : {};
  for (const [name, matrix] of Object.entries(matrices)) {
    checkShape(name, shapes[name], matrix.shape);
    checkQuantizedMatrix(matrix, name);
  }
  const load = async (name: string): Promise<Tensor> => {
    const matrix = matrices[name];
    if (matrix) return float32(matrix.shape, dequantizedValues(matrix));
    if ('matrices' in model) {
      const tensor = model.floats[name];
      if (tensor) return tensor;
    } else if (model.parameters.names.includes(name)) {
      return model.parameters.read(name);
    }
    throw new InvalidInputError(name, 'a parameter of the model', 'none of that name');
  };
  return {
    config,
    tokenizer,
    name: 'matrices' in model ? `${config.family} (${model.method})` : model.name,
    quantized: 'matrices' in model,
    shapes,
    matrix: (name) => matrices[name],
    activation: (name) => ('matrices' in model ? model.activations[name] : undefined),
    async read(name) {
      const tensor = await load(name);
      checkShape(name, shapes[name], tensor.shape);
      checkFinite(name, tensor);
      return tensor;
    },
  };
}

function checkShape(name: string, expected: Shape | undefined, received: Shape): void {
  if (expected && expected.join() === received.join()) return;
  throw new InvalidInputError(
    name,
    expected ? `shape [${expected.join(', ')}]` : 'a parameter of this architecture',
    `shape [${received.join(', ')}]`,
  );
}
