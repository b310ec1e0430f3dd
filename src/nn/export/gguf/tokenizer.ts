/** The tokenizer part of a GGUF file, from a `tokenizer.json`. */

import type { Tokenizer } from '../../../data/tokenizer.ts';
import { InvalidInputError } from '../../../error.ts';
import type { LanguageModelConfig } from '../../model.ts';
import { byteLevelMetadata } from './byte-level.ts';
import { count, type Metadata, text } from './metadata.ts';
import { piecesFromMerges } from './scored-pieces.ts';
import { type TokenizerDefinition, tokenTypes } from './tokenizer-definition.ts';

/** What the file says of the tokenizer, and what llama.cpp will do differently. */
export interface TokenizerPart {
  readonly metadata: Metadata;
  /** `gpt2` for byte-level merges, `llama` for scored pieces, `none` without a tokenizer. */
  readonly model: 'gpt2' | 'llama' | 'none';
  readonly notes: readonly string[];
}

/**
 * Metadata for a model's tokenizer; without one, placeholders
 * for a file that takes token ids.
 * Throws `InvalidInputError` for a kind of tokenizer that llama.cpp has no word for.
 */
export function tokenizerMetadata(
  tokenizer: Tokenizer | null,
  config: LanguageModelConfig,
): TokenizerPart {
  if (tokenizer === null || tokenizer.json === null) {
    return { model: 'none', ...placeholders(config) };
  }
  const definition = JSON.parse(tokenizer.json) as TokenizerDefinition;
  const { model } = definition;
  if (model.type !== undefined && model.type !== 'BPE') {
    throw new InvalidInputError('tokenizer', 'a BPE tokenizer', `${model.type}`);
  }
  return model.byte_fallback
    ? withSpecialTokens('llama', config, piecesFromMerges(definition, config))
    : withSpecialTokens('gpt2', config, byteLevelMetadata(definition, config));
}

/** Programs that load a file tokenize something at once, so there must be a vocabulary. */
function placeholders(config: LanguageModelConfig): Omit<TokenizerPart, 'model'> {
  const tokens = Array.from(
    { length: config.vocabularySize },
    (_, id) => `[token ${id}]`,
  );
  const types = new Int32Array(tokens.length).fill(tokenTypes.unused);
  return {
    metadata: [
      ['tokenizer.ggml.model', text('gpt2')],
      ['tokenizer.ggml.pre', text('gpt-2')],
      ['tokenizer.ggml.tokens', { type: 'array', of: 'string', value: tokens }],
      ['tokenizer.ggml.token_type', { type: 'array', of: 'int32', value: types }],
      ['tokenizer.ggml.merges', { type: 'array', of: 'string', value: [] }],
      ['tokenizer.ggml.add_bos_token', { type: 'bool', value: false }],
    ],
    notes: [
      'the model has no tokenizer that GGUF can carry: the file has placeholders and takes token ids',
    ],
  };
}

function withSpecialTokens(
  model: 'gpt2' | 'llama',
  config: LanguageModelConfig,
  part: { readonly metadata: Metadata; readonly notes: readonly string[] },
): TokenizerPart {
  // One of them alone, as GPT-2 has it, both begins and ends a text.
  const begin = config.beginToken ?? config.endToken;
  const end = config.endToken ?? config.beginToken;
  const notes = [...part.notes];
  const special: Metadata = [];
  if (begin !== null) special.push(['tokenizer.ggml.bos_token_id', count(begin)]);
  if (end !== null) special.push(['tokenizer.ggml.eos_token_id', count(end)]);
  if (end === null && model === 'gpt2') {
    notes.push('the model names no end token: llama.cpp stops at its default, token 11');
  }
  return {
    model,
    metadata: [['tokenizer.ggml.model', text(model)], ...part.metadata, ...special],
    notes,
  };
}
