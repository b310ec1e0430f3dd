/** The byte-level BPE vocabulary of a model that is trained from nothing. */

import { trainTokenizer } from '../data/tokenizer/train.ts';
import type { Tokenizer } from '../data/tokenizer.ts';
import type { RunContext } from '../nouns/run.ts';

/** A tokenizer with what a model has to know of it. */
export interface Vocabulary {
  readonly tokenizer: Tokenizer;
  readonly size: number;
  /** Id that ends every document; null joins documents without a mark. */
  readonly endToken: number | null;
}

/** The token that ends every document. */
export const endOfText = '<|endoftext|>';

/**
 * Trains a byte-level BPE on texts, with one special token that ends documents.
 * @throws InvalidInputError for fewer than 257 tokens, CancelledError.
 */
export async function trainVocabulary(
  texts: readonly string[],
  size: number,
  context: RunContext,
): Promise<Vocabulary> {
  const { tokenizer, vocabularySize } = await trainTokenizer(texts, {
    vocabularySize: size,
    specialTokens: [endOfText],
    signal: context.signal,
    progress: (done, total) =>
      context.progress({ done, total, label: `token ${done} of ${total}` }),
  });
  const [endToken = null] = tokenizer.encode(endOfText);
  return { tokenizer, size: vocabularySize, endToken };
}
