/** Scored pieces with a space mark, as SentencePiece and llama2.c have them. */

import { llama2cTokens, type ScoredVocabulary } from '../../../data/tokenizer/llama2c.ts';
import { InvalidInputError } from '../../../error.ts';
import type { LanguageModelConfig } from '../../model.ts';
import { count, type Metadata } from './metadata.ts';
import {
  addsBegin,
  mergePairs,
  type TokenizerDefinition,
  tokenList,
  tokenTypes,
} from './tokenizer-definition.ts';

const spaceMark = '\u2581';
const byteTokens = 256;

interface Part {
  readonly metadata: Metadata;
  readonly notes: readonly string[];
}

/** Pieces of a llama2.c file: unknown, begin, end, 256 bytes, then texts. */
export function scoredMetadata(
  vocabulary: ScoredVocabulary,
  config: LanguageModelConfig,
): Part {
  const { pieces, scores } = vocabulary;
  if (pieces.length !== config.vocabularySize) {
    const expected = `${config.vocabularySize} pieces, the vocabulary of the model`;
    throw new InvalidInputError('tokenizer', expected, `${pieces.length}`);
  }
  const { unknown, begin, end, firstByte } = llama2cTokens;
  const types = new Int32Array(pieces.length).fill(tokenTypes.normal);
  const decoder = new TextDecoder('utf-8');
  const tokens = pieces.map((piece, id) => {
    const byte = id - firstByte;
    if (byte >= 0 && byte < byteTokens) {
      types[id] = tokenTypes.byte;
      return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
    }
    if (id === unknown) types[id] = tokenTypes.unknown;
    if (id === begin || id === end) types[id] = tokenTypes.control;
    const name = { [unknown]: '<unk>', [begin]: '<s>', [end]: '</s>' }[id];
    return name ?? decoder.decode(piece).replaceAll(' ', spaceMark);
  });
  return {
    metadata: pieceMetadata(tokens, scores, types, unknown, true),
    notes: [],
  };
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
      addsBegin(definition.post_processor),
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
): Metadata {
  return [
    ['tokenizer.ggml.tokens', { type: 'array', of: 'string', value: tokens }],
    ['tokenizer.ggml.scores', { type: 'array', of: 'float32', value: scores }],
    ['tokenizer.ggml.token_type', { type: 'array', of: 'int32', value: types }],
    ['tokenizer.ggml.unknown_token_id', count(unknown)],
    ['tokenizer.ggml.add_bos_token', { type: 'bool', value: addBegin }],
    ['tokenizer.ggml.add_space_prefix', { type: 'bool', value: true }],
  ];
}
