/** What a language model is to the rest of Assay: a configuration and named parameters that can be read one by one. */

import type { DataType, Shape, Tensor } from '../array/tensor.ts';
import type { Tokenizer } from '../data/tokenizer.ts';

/** Rotary scaling: divide every frequency (`linear`) or only the slow ones (`llama3`). */
export type RopeScaling =
  | { readonly type: 'linear'; readonly factor: number }
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalContextLength: number;
    };

/** Configuration of a decoder-only transformer, one shape for every family. */
export interface LanguageModelConfig {
  /** Architecture as Hugging Face names it: decides names of tensors and export formats. */
  readonly family: 'llama' | 'mistral' | 'qwen2' | 'qwen3' | 'gpt2';
  readonly vocabularySize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly contextLength: number;
  readonly norm: 'rms' | 'layer';
  readonly normEpsilon: number;
  readonly positions: 'rotary' | 'learned';
  readonly ropeTheta: number;
  /** Stretching of the rotary frequencies beyond the trained length; absent for none. */
  readonly ropeScaling?: RopeScaling | null;
  /** Each position sees this many latest positions, itself included; absent for all. */
  readonly slidingWindow?: number | null;
  /** `silu` gated (SwiGLU) for LLaMA-likes, `gelu-tanh` for GPT-2. */
  readonly activation: 'silu-gated' | 'gelu-tanh';
  readonly queryKeyValueBias: boolean;
  readonly outputBias: boolean;
  /** Qwen3: RMS norm of each head's query and key. */
  readonly queryKeyNorm: boolean;
  /** The head is the embedding matrix. */
  readonly tiedHead: boolean;
  readonly beginToken: number | null;
  readonly endToken: number | null;
}

/**
 * Named parameters, read one by one so that a model larger than memory can be visited.
 * Weights of linear layers are `[outFeatures, inFeatures]` in every family: GPT-2's files
 * hold them the other way round, and only reading and writing such a file transposes.
 */
export interface ParameterSource {
  /** Names in file order, as Hugging Face writes them: `model.layers.0.self_attn.q_proj.weight`. */
  readonly names: readonly string[];
  /** Shape and stored type without reading the data. Throws for an unknown name. */
  describe(name: string): { readonly dtype: DataType; readonly shape: Shape };
  /** The tensor as float32, whatever it is stored as. */
  read(name: string): Promise<Tensor>;
}

export interface LanguageModel {
  readonly config: LanguageModelConfig;
  readonly parameters: ParameterSource;
  readonly tokenizer: Tokenizer | null;
  /** Name for people: the directory's last part, or `memory`. */
  readonly name: string;
  /** Hash of the configuration and of every parameter file. */
  readonly fingerprint: string;
}

/** A source over tensors in memory. */
export function memoryParameters(
  tensors: Readonly<Record<string, Tensor>>,
): ParameterSource {
  const known = (name: string): Tensor => {
    const tensor = tensors[name];
    if (!tensor) throw new Error(`no parameter named ${name}`);
    return tensor;
  };
  return {
    names: Object.keys(tensors),
    describe: (name) => ({ dtype: known(name).dtype, shape: known(name).shape }),
    read: async (name) => known(name),
  };
}
