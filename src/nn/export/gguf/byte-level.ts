/** Byte-level merges, as GPT-2 and its successors have them, in llama.cpp's words. */

import { InvalidInputError } from '../../../error.ts';
import type { LanguageModelConfig } from '../../model.ts';
import { type Metadata, text } from './metadata.ts';
import {
  addsBegin,
  mergePairs,
  type PreTokenizer,
  type TokenizerDefinition,
  tokenList,
} from './tokenizer-definition.ts';

const words = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|";
const rest = '| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

/** Patterns of texts' first cut that llama.cpp knows, with its names for them. */
const knownPatterns: Readonly<Record<string, string>> = {
  [`${words}\\p{N}{1,3}${rest}`]: 'llama-bpe',
  [`${words}\\p{N}${rest}`]: 'qwen2',
};

/** Tokens, merges and the first cut of a byte-level tokenizer. */
export function byteLevelMetadata(
  definition: TokenizerDefinition,
  config: LanguageModelConfig,
): { readonly metadata: Metadata; readonly notes: readonly string[] } {
  const { tokens, types } = tokenList(definition, config);
  const { name, notes: cutNotes } = firstCut(definition.pre_tokenizer ?? null);
  const notes = [...cutNotes];
  if (name === 'llama-bpe' && !definition.model.ignore_merges) {
    notes.push(
      'llama.cpp takes a word that is a token whole, this tokenizer by its merges',
    );
  }
  if (definition.normalizer) {
    notes.push('llama.cpp does not normalize text first, as this tokenizer does');
  }
  const merges = mergePairs(definition).map(([left, right]) => `${left} ${right}`);
  return {
    metadata: [
      ['tokenizer.ggml.pre', text(name)],
      ['tokenizer.ggml.tokens', { type: 'array', of: 'string', value: tokens }],
      ['tokenizer.ggml.token_type', { type: 'array', of: 'int32', value: types }],
      ['tokenizer.ggml.merges', { type: 'array', of: 'string', value: merges }],
      [
        'tokenizer.ggml.add_bos_token',
        { type: 'bool', value: addsBegin(definition.post_processor) },
      ],
    ],
    notes,
  };
}

/** llama.cpp's name for how a tokenizer cuts text before it merges. */
function firstCut(pre: PreTokenizer | null): {
  readonly name: string;
  readonly notes: readonly string[];
} {
  const steps = pre?.type === 'Sequence' ? (pre.pretokenizers ?? []) : pre ? [pre] : [];
  const bytes = steps.find((step) => step.type === 'ByteLevel');
  if (!bytes) {
    const received = steps.map((step) => step.type).join(', ') || 'none';
    throw new InvalidInputError('tokenizer', 'a byte-level pre-tokenizer', received);
  }
  const notes = bytes.add_prefix_space
    ? ['llama.cpp puts no space before the text, as this tokenizer does']
    : [];
  const others = steps.filter((step) => step !== bytes);
  const [other] = others;
  if (others.length === 0 && bytes.use_regex !== false) return { name: 'gpt-2', notes };
  if (others.length === 1 && other?.type === 'Digits' && other.individual_digits) {
    return { name: 'smollm', notes };
  }
  const pattern = other?.type === 'Split' ? other.pattern?.Regex : undefined;
  const known = pattern === undefined ? undefined : knownPatterns[pattern];
  if (others.length === 1 && known !== undefined) return { name: known, notes };
  const described = pattern ?? steps.map((step) => step.type).join(', ');
  return {
    name: 'gpt-2',
    notes: [
      ...notes,
      `llama.cpp may cut text otherwise than this tokenizer: ${described} is not known to it`,
    ],
  };
}
