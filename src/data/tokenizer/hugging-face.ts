/** Loads the tokenizer of a Hugging Face model directory. */

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { InvalidFileError } from '../../error.ts';
import type { Tokenizer } from '../tokenizer.ts';

const maximumBytes = 200_000_000;
const modelTypes = new Set(['BPE', 'WordPiece', 'Unigram']);

// The library wants them named; files may leave them out.
const optionalParts = {
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
};

/**
 * Loads `tokenizer.json`, with `tokenizer_config.json` where there is one.
 *
 * `encode` adds no special tokens of its own (no BOS, no EOS); special tokens written out
 * in the text are recognised as themselves. `decode` keeps special tokens and spaces as
 * they are.
 *
 * @throws InvalidFileError when a file is missing, not JSON or not a tokenizer.
 */
export async function loadHuggingFaceTokenizer(directory: string): Promise<Tokenizer> {
  const path = join(directory, 'tokenizer.json');
  const json = await readText(path);
  const configPath = join(directory, 'tokenizer_config.json');
  const present = await stat(configPath).catch(() => null);
  const config = present ? parseObject(await readText(configPath), configPath) : {};
  return tokenizerFromJson(json, config, path);
}

/** A tokenizer from the text of a `tokenizer.json`; `file` is named in errors. */
export function tokenizerFromJson(
  json: string,
  config: Readonly<Record<string, unknown>> = {},
  file = 'tokenizer.json',
): Tokenizer {
  const definition = parseObject(json, file);
  checkModel(definition, file);
  const library = guarded(
    file,
    () => new LibraryTokenizer({ ...optionalParts, ...definition }, config),
  );
  // A definition can be wrong in ways that only show when it is used.
  guarded(file, () => library.encode('A b\n1', { add_special_tokens: false }));
  return {
    json,
    encode: (text) => library.encode(text, { add_special_tokens: false }).ids,
    decode: (ids) =>
      ids.length === 0
        ? ''
        : library.decode([...ids], {
            skip_special_tokens: false,
            clean_up_tokenization_spaces: false,
          }),
  };
}

function checkModel(definition: Readonly<Record<string, unknown>>, file: string): void {
  const { model } = definition;
  if (!isObject(model)) {
    throw new InvalidFileError(file, 'model', 'an object', typeof model);
  }
  // Files of old versions leave the type out; the library then tells by the fields.
  if (model.type !== undefined && !modelTypes.has(String(model.type))) {
    const expected = [...modelTypes].join(', ');
    throw new InvalidFileError(file, 'model.type', expected, JSON.stringify(model.type));
  }
  const { vocab } = model;
  if (Array.isArray(vocab)) {
    if (vocab.every((entry) => Array.isArray(entry) && typeof entry[0] === 'string'))
      return;
    throw new InvalidFileError(file, 'model.vocab', 'pairs of piece and score', 'others');
  }
  if (!isObject(vocab)) {
    throw new InvalidFileError(file, 'model.vocab', 'a vocabulary', typeof vocab);
  }
  for (const [token, id] of Object.entries(vocab)) {
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) > 0x7fffffff) {
      const field = `model.vocab[${JSON.stringify(token)}]`;
      throw new InvalidFileError(
        file,
        field,
        'a token id',
        JSON.stringify(id) ?? 'nothing',
      );
    }
  }
}

function guarded<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const received = error instanceof Error ? error.message : String(error);
    throw new InvalidFileError(file, 'tokenizer', 'a supported tokenizer', received);
  }
}

async function readText(path: string): Promise<string> {
  const status = await stat(path).catch(() => null);
  if (!status?.isFile()) {
    throw new InvalidFileError(path, 'file', 'a tokenizer file', 'no such file');
  }
  if (status.size > maximumBytes) {
    throw new InvalidFileError(
      path,
      'file',
      `at most ${maximumBytes} bytes`,
      `${status.size}`,
    );
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch {
    throw new InvalidFileError(path, 'file', 'UTF-8 text', 'other bytes');
  }
}

function parseObject(json: string, file: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    const received = error instanceof Error ? error.message : String(error);
    throw new InvalidFileError(file, 'file', 'JSON', received);
  }
  if (!isObject(value))
    throw new InvalidFileError(file, 'file', 'an object', 'another value');
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
