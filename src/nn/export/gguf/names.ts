/** Names of a decoder's tensors in GGUF, and the order of rows that llama.cpp wants. */

import { InvalidInputError } from '../../../error.ts';
import {
  blockPrefix,
  parameterNames,
  parameterShapes,
} from '../../decoder/parameters.ts';
import type { LanguageModelConfig } from '../../model.ts';

/** llama.cpp's word for an architecture. */
export type GgufArchitecture = 'llama' | 'qwen2' | 'qwen3' | 'gpt2';

export function architectureOf(config: LanguageModelConfig): GgufArchitecture {
  return config.family === 'mistral' ? 'llama' : config.family;
}

/** One tensor of the file. */
export interface NamedTensor {
  /** Our parameter's name. */
  readonly parameter: string;
  /** Its name in the file. */
  readonly name: string;
  /** Heads whose rows are interleaved for llama.cpp; null where rows stay as they are. */
  readonly interleavedHeads: number | null;
}

const rotaryBlock: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  post_attention_layernorm: 'ffn_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};

const gpt2Block: Readonly<Record<string, string>> = {
  ln_1: 'attn_norm',
  'attn.c_attn': 'attn_qkv',
  'attn.c_proj': 'attn_output',
  ln_2: 'ffn_norm',
  'mlp.c_fc': 'ffn_up',
  'mlp.c_proj': 'ffn_down',
};

/** Every tensor of a model in the order of the file. A tied head is not written twice. */
export function namedTensors(config: LanguageModelConfig): NamedTensor[] {
  const outer = outerNames(config);
  const local = config.family === 'gpt2' ? gpt2Block : rotaryBlock;
  const prefixes = Array.from({ length: config.layers }, (_, layer) =>
    blockPrefix(config, layer),
  );
  return Object.keys(parameterShapes(config)).map((parameter) => {
    const known = outer[parameter];
    if (known !== undefined) return { parameter, name: known, interleavedHeads: null };
    const layer = prefixes.findIndex((prefix) => parameter.startsWith(prefix));
    const [, module = '', kind = ''] =
      /^(.*)\.(weight|bias)$/.exec(parameter.slice(prefixes[layer]?.length)) ?? [];
    const name = local[module];
    if (layer < 0 || name === undefined) {
      throw new InvalidInputError(
        'parameter',
        'a name that GGUF has a word for',
        parameter,
      );
    }
    return {
      parameter,
      name: `blk.${layer}.${name}.${kind}`,
      interleavedHeads: interleaved(config, module),
    };
  });
}

function outerNames(config: LanguageModelConfig): Record<string, string> {
  const names = parameterNames(config);
  const outer: Record<string, string> = {
    [names.embedding]: 'token_embd.weight',
    [names.finalNorm]: 'output_norm.weight',
  };
  if (names.positions !== null) outer[names.positions] = 'position_embd.weight';
  if (names.finalNormBias !== null) outer[names.finalNormBias] = 'output_norm.bias';
  if (!config.tiedHead) outer[names.head] = 'output.weight';
  return outer;
}

/** Only the `llama` architecture of llama.cpp turns neighbouring elements. */
function interleaved(config: LanguageModelConfig, module: string): number | null {
  if (architectureOf(config) !== 'llama') return null;
  if (module === 'self_attn.q_proj') return config.heads;
  if (module === 'self_attn.k_proj') return config.keyValueHeads;
  return null;
}

/**
 * For each row of the file, the row of ours: rotary pairs `(i, i + headSize / 2)` of a head
 * become neighbours `(2i, 2i + 1)`.
 */
export function interleavedRows(heads: number, headSize: number): Int32Array {
  const rows = new Int32Array(heads * headSize);
  for (let row = 0; row < rows.length; row++) {
    const within = row % headSize;
    const half = within % 2 === 0 ? 0 : headSize / 2;
    rows[row] = row - within + half + Math.floor(within / 2);
  }
  return rows;
}

/** Rows of a row-major array in another order; `width` elements a row. */
export function reorderedRows<T extends Float32Array | Uint8Array>(
  data: T,
  width: number,
  rows: Int32Array,
): T {
  const result = data.slice() as T;
  rows.forEach((from, to) => {
    result.set(data.subarray(from * width, (from + 1) * width), to * width);
  });
  return result;
}
