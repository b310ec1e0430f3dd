/** The tokenizer files of llama2.c: scored pieces merged greedily, with bytes as fallback. */

import { readFile, stat } from 'node:fs/promises';
import { InvalidFileError } from '../../error.ts';
import type { Tokenizer } from '../tokenizer.ts';
import { Heap } from './heap.ts';
import { llama2cTokenizerJson } from './llama2c-json.ts';

/** Pieces in id order. A piece is bytes: it can be a part of a character. */
export interface ScoredVocabulary {
  readonly pieces: readonly Uint8Array[];
  readonly scores: Float32Array;
}

/** Ids that the format fixes. */
export const llama2cTokens = { unknown: 0, begin: 1, end: 2, firstByte: 3 } as const;

const maximumFileBytes = 64 * 1024 * 1024;
const maximumPieceBytes = 4096;
const byteTokens = 256;

/**
 * Loads a llama2.c tokenizer (`tok512.bin`).
 *
 * `encode` puts one space before a non-empty text, as these models were trained, and adds
 * neither BOS nor EOS. `decode` drops BOS and EOS and the one space at the start. `json`
 * is a `tokenizer.json` that encodes alike, but for `<s>` and `</s>` written in the text.
 *
 * @throws InvalidFileError for a truncated file, lengths out of bounds, scores that are not
 * finite or a vocabulary without the 256 byte pieces.
 */
export async function loadLlama2cTokenizer(path: string): Promise<Tokenizer> {
  return llama2cTokenizer(await readLlama2cVocabulary(path));
}

/** Reads the pieces and scores of a llama2.c tokenizer file. */
export async function readLlama2cVocabulary(path: string): Promise<ScoredVocabulary> {
  const status = await stat(path).catch(() => null);
  if (!status?.isFile()) {
    throw new InvalidFileError(path, 'file', 'a tokenizer file', 'no such file');
  }
  if (status.size > maximumFileBytes) {
    const expected = `at most ${maximumFileBytes} bytes`;
    throw new InvalidFileError(path, 'file', expected, `${status.size}`);
  }
  return parseLlama2cVocabulary(await readFile(path), path);
}

/** The same from bytes; `file` is named in errors. */
export function parseLlama2cVocabulary(
  bytes: Uint8Array,
  file: string,
): ScoredVocabulary {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4) {
    throw new InvalidFileError(file, 'longest piece', '4 bytes', `${bytes.length}`, 0);
  }
  const longest = view.getInt32(0, true);
  if (longest < 1 || longest > maximumPieceBytes) {
    const expected = `1 to ${maximumPieceBytes}`;
    throw new InvalidFileError(file, 'longest piece', expected, `${longest}`, 0);
  }
  const pieces: Uint8Array[] = [];
  const scores: number[] = [];
  for (let offset = 4; offset < bytes.length; ) {
    const field = `piece ${pieces.length}`;
    const left = bytes.length - offset;
    if (left < 8) {
      throw new InvalidFileError(file, field, '8 bytes', `the last ${left}`, offset);
    }
    const score = view.getFloat32(offset, true);
    const length = view.getInt32(offset + 4, true);
    if (!Number.isFinite(score)) {
      throw new InvalidFileError(file, `${field} score`, 'a number', `${score}`, offset);
    }
    const room = Math.min(longest, left - 8);
    if (length < 0 || length > room) {
      throw new InvalidFileError(
        file,
        `${field} length`,
        `0 to ${room}`,
        `${length}`,
        offset,
      );
    }
    pieces.push(bytes.slice(offset + 8, offset + 8 + length));
    scores.push(score);
    offset += 8 + length;
  }
  const least = llama2cTokens.firstByte + byteTokens;
  if (pieces.length < least) {
    const expected = `at least ${least} pieces (three special ones, then the bytes)`;
    throw new InvalidFileError(file, 'vocabulary', expected, `${pieces.length}`);
  }
  for (let byte = 0; byte < byteTokens; byte++) {
    const id = llama2cTokens.firstByte + byte;
    const name = `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
    if (latin1(pieces[id]!) !== name) {
      const received = JSON.stringify(latin1(pieces[id]!));
      throw new InvalidFileError(file, `piece ${id}`, name, received);
    }
  }
  return { pieces, scores: Float32Array.from(scores) };
}

/** A tokenizer over scored pieces; merges the best-scored neighbours first, left ones first. */
export function llama2cTokenizer(vocabulary: ScoredVocabulary): Tokenizer {
  const { pieces } = vocabulary;
  const firstText = llama2cTokens.firstByte + byteTokens;
  const idOf = new Map<string, number>();
  for (let id = pieces.length - 1; id >= firstText; id--)
    idOf.set(latin1(pieces[id]!), id);
  const keys = pieces.map(latin1);
  return {
    json: llama2cTokenizerJson(vocabulary),
    encode: (text) =>
      text === '' ? [] : mergeGreedily(` ${text}`, keys, vocabulary.scores, idOf),
    decode: (ids) => {
      const parts: Uint8Array[] = [];
      for (const id of ids) {
        if (id === llama2cTokens.begin || id === llama2cTokens.end) continue;
        const piece = pieces[id];
        if (!piece) throw new RangeError(`token id ${id} is not in the vocabulary`);
        const isByte = id >= llama2cTokens.firstByte && id < firstText;
        parts.push(isByte ? Uint8Array.of(id - llama2cTokens.firstByte) : piece);
      }
      const text = Buffer.concat(parts).toString('utf8');
      return text.startsWith(' ') ? text.slice(1) : text;
    },
  };
}

interface Candidate {
  readonly position: number;
  readonly left: number;
  readonly right: number;
  readonly merged: number;
  readonly score: number;
}

function mergeGreedily(
  text: string,
  keys: readonly string[],
  scores: Float32Array,
  idOf: ReadonlyMap<string, number>,
): number[] {
  const ids: number[] = [];
  for (const character of text) {
    const bytes = Buffer.from(character, 'utf8');
    const id = idOf.get(latin1(bytes));
    if (id !== undefined) ids.push(id);
    else for (const byte of bytes) ids.push(llama2cTokens.firstByte + byte);
  }
  // A doubly linked list over positions; -1 marks a token that was merged away.
  const next = Int32Array.from(ids, (_, index) => index + 1);
  const previous = Int32Array.from(ids, (_, index) => index - 1);
  const queue = new Heap<Candidate>(
    (a, b) => a.score > b.score || (a.score === b.score && a.position < b.position),
  );
  const consider = (position: number): void => {
    const after = next[position]!;
    if (position < 0 || after >= ids.length) return;
    const left = ids[position]!;
    const right = ids[after]!;
    const merged = idOf.get(keys[left]! + keys[right]!);
    if (merged === undefined) return;
    queue.push({ position, left, right, merged, score: scores[merged]! });
  };
  for (let position = 0; position + 1 < ids.length; position++) consider(position);
  for (;;) {
    const best = queue.pop();
    if (!best) break;
    const { position, left, right, merged } = best;
    const after = next[position]!;
    // The neighbours may have changed since the pair was queued.
    if (ids[position] !== left || after >= ids.length || ids[after] !== right) continue;
    ids[position] = merged;
    ids[after] = -1;
    next[position] = next[after]!;
    if (next[position]! < ids.length) previous[next[position]!] = position;
    if (previous[position]! >= 0) consider(previous[position]!);
    consider(position);
  }
  return ids.filter((id) => id >= 0);
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
