/** Finds and loads the tokenizer of a model directory, whichever form it has. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidFileError } from '../../error.ts';
import type { Tokenizer } from '../tokenizer.ts';
import { byteCharacters, byteLevelTokenizerJson } from './byte-level.ts';
import { loadHuggingFaceTokenizer, tokenizerFromJson } from './hugging-face.ts';
import { loadLlama2cTokenizer } from './llama2c.ts';

/**
 * Loads `tokenizer.json`, else GPT-2's `vocab.json` with `merges.txt`, else a llama2.c
 * `tokenizer.bin` or `tok*.bin`; null when the directory has none of them.
 *
 * @throws InvalidFileError when a file is there but malformed.
 */
export async function loadTokenizer(directory: string): Promise<Tokenizer | null> {
  const names = new Set(await readdir(directory).catch(() => []));
  if (names.has('tokenizer.json')) return loadHuggingFaceTokenizer(directory);
  if (names.has('vocab.json') && names.has('merges.txt')) {
    const vocabulary = join(directory, 'vocab.json');
    const merges = join(directory, 'merges.txt');
    const json = tokenizerJsonOfGpt2Files(
      (await readFile(vocabulary)).toString('utf8'),
      (await readFile(merges)).toString('utf8'),
      { vocabulary, merges },
    );
    return tokenizerFromJson(json, {}, vocabulary);
  }
  const binary = [...names].sort().find((name) => /^tok\w*\.bin$/.test(name));
  return binary === undefined ? null : loadLlama2cTokenizer(join(directory, binary));
}

/**
 * The `tokenizer.json` that says what GPT-2's two files say. `<|endoftext|>` becomes a
 * special token where the vocabulary has it.
 *
 * @throws InvalidFileError for ids that are not 0 to n - 1, a missing byte, or a merge of
 * or into something that is not a token.
 */
export function tokenizerJsonOfGpt2Files(
  vocabularyText: string,
  mergesText: string,
  files: { readonly vocabulary: string; readonly merges: string },
): string {
  const fail = (field: string, expected: string, received: string): never => {
    throw new InvalidFileError(files.vocabulary, field, expected, received);
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(vocabularyText);
  } catch {
    return fail('file', 'JSON', 'something else');
  }
  if (typeof parsed !== 'object' || parsed === null) {
    return fail('file', 'an object from token to id', 'another value');
  }
  const entries = Object.entries(parsed);
  const tokens: string[] = new Array(entries.length).fill('');
  const known = new Map<string, number>();
  for (const [token, id] of entries) {
    if (!Number.isInteger(id) || id < 0 || id >= tokens.length || tokens[id] !== '') {
      fail(`[${JSON.stringify(token)}]`, `an own id below ${tokens.length}`, `${id}`);
    }
    tokens[id] = token;
    known.set(token, id);
  }
  const missing = byteCharacters.find((character) => !known.has(character));
  if (missing !== undefined) fail('vocabulary', 'all 256 bytes', `none for ${missing}`);
  const merges = mergesText
    .split('\n')
    .map((line, index) => ({ line: line.replace(/\r$/, ''), index }))
    .filter(
      ({ line, index }) => line !== '' && !(index === 0 && line.startsWith('#version')),
    )
    .map(({ line, index }) => {
      const pair = line.split(' ');
      const [left = '', right = ''] = pair;
      if (
        pair.length !== 2 ||
        ![left, right, left + right].every((token) => known.has(token))
      ) {
        const field = `line ${index + 1}`;
        const expected = 'two tokens whose join is a token';
        throw new InvalidFileError(files.merges, field, expected, JSON.stringify(line));
      }
      return [left, right] as const;
    });
  const end = known.get('<|endoftext|>');
  return byteLevelTokenizerJson({
    tokens,
    merges,
    specialTokens: end === undefined ? [] : [{ content: '<|endoftext|>', id: end }],
  });
}
