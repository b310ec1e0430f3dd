/** Trains a byte-level BPE tokenizer: the most frequent pair becomes a token, again and again. */

import { setImmediate } from 'node:timers/promises';
import { InvalidInputError, throwIfCancelled } from '../../error.ts';
import type { Tokenizer } from '../tokenizer.ts';
import {
  byteCharacters,
  byteLevelTokenizerJson,
  bytesInOrder,
  wordPattern,
} from './byte-level.ts';
import { Heap } from './heap.ts';
import { tokenizerFromJson } from './hugging-face.ts';

export interface TrainTokenizerOptions {
  /** Tokens wished for, special ones included; fewer come out of little text. */
  readonly vocabularySize: number;
  readonly specialTokens?: readonly string[];
  /** A pair that occurs less often is not merged. */
  readonly minimumFrequency?: number;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((done: number, total: number) => void) | undefined;
}

export interface TrainedTokenizer {
  readonly tokenizer: Tokenizer & { readonly json: string };
  readonly vocabularySize: number;
}

const largestVocabulary = 1_000_000;
// Pairs are keyed by left * 2^21 + right, which stays a whole number for a double.
const pairBase = 2 ** 21;

interface Word {
  readonly symbols: number[];
  readonly count: number;
}

interface Candidate {
  readonly key: number;
  readonly count: number;
}

/**
 * Trains on documents (Sennrich et al. 2016 over bytes, as GPT-2). Ids: the 256 bytes, then
 * merged tokens in order, then special tokens. The same documents in the same order give
 * the same tokenizer; ties go to the pair of lower ids.
 *
 * @throws InvalidInputError for a vocabulary below 256 plus the special tokens, CancelledError.
 */
export async function trainTokenizer(
  documents: Iterable<string>,
  options: TrainTokenizerOptions,
): Promise<TrainedTokenizer> {
  const { vocabularySize, minimumFrequency = 2, signal, progress } = options;
  const specialTokens = [...new Set(options.specialTokens ?? ['<|endoftext|>'])];
  const least = 256 + specialTokens.length;
  if (
    !Number.isInteger(vocabularySize) ||
    vocabularySize < least ||
    vocabularySize > largestVocabulary
  ) {
    const expected = `a whole number from ${least} to ${largestVocabulary}`;
    throw new InvalidInputError('vocabularySize', expected, `${vocabularySize}`);
  }
  if (specialTokens.includes('')) {
    throw new InvalidInputError('specialTokens', 'tokens that are not empty', '""');
  }
  const words = await countWords(documents, specialTokens, signal);
  const tokens = bytesInOrder.map((byte) => byteCharacters[byte]!);
  const merges = await mergePairs(words, tokens, {
    size: vocabularySize - specialTokens.length,
    minimumFrequency,
    signal,
    progress,
  });
  const special = specialTokens.map((content, index) => ({
    content,
    id: tokens.length + index,
  }));
  const json = byteLevelTokenizerJson({
    tokens: [...tokens, ...specialTokens],
    merges,
    specialTokens: special,
  });
  const tokenizer = { ...tokenizerFromJson(json), json };
  return { tokenizer, vocabularySize: tokens.length + special.length };
}

async function countWords(
  documents: Iterable<string>,
  specialTokens: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Word[]> {
  const counts = new Map<string, number>();
  const separators = specialTokens
    .map((token) => token.replace(/[^\w]/g, '\\$&'))
    .join('|');
  for (const document of documents) {
    throwIfCancelled(signal, 'training the tokenizer');
    const parts = separators === '' ? [document] : document.split(new RegExp(separators));
    for (const part of parts) {
      for (const [word] of part.matchAll(wordPattern)) {
        counts.set(word, (counts.get(word) ?? 0) + 1);
      }
    }
    await setImmediate();
  }
  const idOfByte = new Uint8Array(256);
  for (const [id, byte] of bytesInOrder.entries()) idOfByte[byte] = id;
  return [...counts].map(([word, count]) => ({
    symbols: Array.from(Buffer.from(word, 'utf8'), (byte) => idOfByte[byte]!),
    count,
  }));
}

/** Merges until `tokens` has `size` entries or no pair is frequent enough. */
async function mergePairs(
  words: readonly Word[],
  tokens: string[],
  options: {
    readonly size: number;
    readonly minimumFrequency: number;
    readonly signal: AbortSignal | undefined;
    readonly progress: ((done: number, total: number) => void) | undefined;
  },
): Promise<[string, string][]> {
  const { size, minimumFrequency, signal, progress } = options;
  const idOf = new Map(tokens.map((token, id) => [token, id]));
  const counts = new Map<number, number>();
  const places = new Map<number, Set<number>>();
  const count = (key: number, change: number, word: number): void => {
    counts.set(key, (counts.get(key) ?? 0) + change);
    if (change <= 0) return;
    const known = places.get(key);
    if (known) known.add(word);
    else places.set(key, new Set([word]));
  };
  for (const [index, word] of words.entries()) {
    for (let at = 0; at + 1 < word.symbols.length; at++) {
      count(word.symbols[at]! * pairBase + word.symbols[at + 1]!, word.count, index);
    }
  }
  const queue = new Heap<Candidate>(
    (a, b) => a.count > b.count || (a.count === b.count && a.key < b.key),
  );
  for (const [key, frequency] of counts) queue.push({ key, count: frequency });
  const merges: [string, string][] = [];
  while (tokens.length < size) {
    const best = queue.pop();
    if (!best) break;
    const { key } = best;
    const current = counts.get(key) ?? 0;
    if (current !== best.count) {
      // Queued before the count fell: back to its place.
      if (current > 0) queue.push({ key, count: current });
      continue;
    }
    if (current < Math.max(minimumFrequency, 1)) break;
    const left = Math.floor(key / pairBase);
    const right = key % pairBase;
    const text = tokens[left]! + tokens[right]!;
    // Two different pairs can spell the same token: it keeps its first id.
    let merged = idOf.get(text);
    if (merged === undefined) {
      merged = tokens.length;
      tokens.push(text);
      idOf.set(text, merged);
    }
    merges.push([tokens[left]!, tokens[right]!]);
    const raised = new Set<number>();
    for (const index of places.get(key) ?? []) {
      mergeInWord(words[index]!, left, right, merged, (pair, change) => {
        count(pair, change, index);
        if (change > 0) raised.add(pair);
      });
    }
    counts.delete(key);
    places.delete(key);
    for (const pair of raised) {
      const frequency = counts.get(pair) ?? 0;
      if (frequency > 0) queue.push({ key: pair, count: frequency });
    }
    if (merges.length % 64 === 0) {
      await setImmediate();
      throwIfCancelled(signal, 'training the tokenizer');
      progress?.(tokens.length, size);
    }
  }
  return merges;
}

function mergeInWord(
  word: Word,
  left: number,
  right: number,
  merged: number,
  change: (pair: number, by: number) => void,
): void {
  const { symbols, count } = word;
  for (let at = 0; at + 1 < symbols.length; at++) {
    if (symbols[at] !== left || symbols[at + 1] !== right) continue;
    const before = symbols[at - 1];
    const after = symbols[at + 2];
    change(left * pairBase + right, -count);
    if (before !== undefined) {
      change(before * pairBase + left, -count);
      change(before * pairBase + merged, count);
    }
    if (after !== undefined) {
      change(right * pairBase + after, -count);
      change(merged * pairBase + after, count);
    }
    symbols.splice(at, 2, merged);
  }
}
