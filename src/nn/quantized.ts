/** A quantized language model: integer codes with scales for its linear layers, floats for the rest. */

import type { QuantizedMatrix } from '../array/quantized.ts';
import type { Tensor } from '../array/tensor.ts';
import type { Tokenizer } from '../data/tokenizer.ts';
import type { LanguageModelConfig } from './model.ts';

/** Range of a linear layer's input, for methods that quantize activations (per tensor, affine). */
export interface ActivationRange {
  readonly bits: number;
  readonly scale: number;
  readonly zero: number;
}

export interface QuantizedModel {
  readonly config: LanguageModelConfig;
  readonly tokenizer: Tokenizer | null;
  readonly method: string;
  /** Quantized linear layers by parameter name. */
  readonly matrices: Readonly<Record<string, QuantizedMatrix>>;
  /** Every other parameter (norms, embeddings, biases), possibly changed by folding. */
  readonly floats: Readonly<Record<string, Tensor>>;
  /** Input quantization by parameter name of the linear layer; empty for weight-only methods. */
  readonly activations: Readonly<Record<string, ActivationRange>>;
  /** What the method found: per-layer choices and losses, for the report. */
  readonly report: Readonly<Record<string, unknown>>;
}
