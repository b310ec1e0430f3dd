/** Scored pieces with a space mark, as SentencePiece and llama2.c have them. */

import type { LanguageModelConfig } from '../../model.ts';
import { count, type Metadata } from './metadata.ts';
import {
  addsBegin,
  mergePairs,
  type TokenizerDefinition,
  tokenList,
  tokenTypes,
} from './tokenizer-definition.ts';

interface Part {
  readonly metadata: Metadata;
  readonly notes: readonly string[];
}

/**
 * Pieces of a `tokenizer.json` that was made from SentencePiece: its merges are in the order
 * of their scores, so a piece's score is minus the place of the first merge that makes it.
 */
export function piecesFromMerges(
  definition: TokenizerDefinition,
  config: LanguageModelConfig,
): Part {
  const { tokens, types } = tokenList(definition, config);
  const places = new Map<string, number>();
  for (const [place, [left, right]] of mergePairs(definition).entries()) {
    if (!places.has(left + right)) places.set(left + right, place);
  }
  const scores = Float32Array.from(tokens, (token) => {
    const place = places.get(token);
    return place === undefined ? -places.size - 1 : -place;
  });
  for (const [id, token] of tokens.entries()) {
    if (/^<0x[0-9A-F]{2}>$/.test(token)) types[id] = tokenTypes.byte;
  }
  const unknown = definition.model.unk_token
    ? tokens.indexOf(definition.model.unk_token)
    : -1;
  if (unknown >= 0) types[unknown] = tokenTypes.unknown;
  return {
    metadata: pieceMetadata(
      tokens,
      scores,
      types,
      Math.max(unknown, 0),
      // Without a template llama.cpp's habit holds: such models are trained to read one first.
      definition.post_processor
        ? addsBegin(definition.post_processor)
        : config.beginToken !== null,
      addsSpace(definition),
    ),
    notes: [],
  };
}

function pieceMetadata(
  tokens: readonly string[],
  scores: Float32Array,
  types: Int32Array,
  unknown: number,
  addBegin: boolean,
  addSpace: boolean,
): Metadata {
  return [
    ['tokenizer.ggml.tokens', { type: 'array', of: 'string', value: tokens }],
    ['tokenizer.ggml.scores', { type: 'array', of: 'float32', value: scores }],
    ['tokenizer.ggml.token_type', { type: 'array', of: 'int32', value: types }],
    ['tokenizer.ggml.unknown_token_id', count(unknown)],
    ['tokenizer.ggml.add_bos_token', { type: 'bool', value: addBegin }],
    ['tokenizer.ggml.add_space_prefix', { type: 'bool', value: addSpace }],
  ];
}

/** Whether encoding puts a space before the text. */
function addsSpace(definition: TokenizerDefinition): boolean {
  const { normalizer, pre_tokenizer: pre } = definition;
  if (JSON.stringify(normalizer ?? null).includes('"Prepend"')) return true;
  const steps = pre?.pretokenizers ?? (pre ? [pre] : []);
  return steps.some(
    (step) =>
      step.type === 'Metaspace' &&
      step.add_prefix_space !== false &&
      step.prepend_scheme !== 'never',
  );
}
