/** Reads text that a user gives: a file, JSON lines, their gzip, or a directory of these. */

import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import { InvalidFileError, InvalidInputError, throwIfCancelled } from '../error.ts';
import { streamBytes } from '../format/byte-stream.ts';

export interface TextDocument {
  /** The file's path below the directory given (or its name); `:line` follows for JSON lines. */
  readonly name: string;
  readonly text: string;
}

export interface TextOptions {
  /** The field of each JSON line that holds the text. */
  readonly field?: string;
  /** A field of each JSON line that names its document; without it the line number does. */
  readonly nameField?: string;
  /** Most bytes in one file after unzipping. */
  readonly maximumBytes?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface TextCollection {
  readonly documents: readonly TextDocument[];
  /** SHA-256 over names and texts in order. */
  readonly hash: string;
  /** Bytes of all texts as UTF-8. */
  readonly bytes: number;
}

// A string of V8 holds about 2^29 characters.
const defaultMaximumBytes = 400_000_000;

/** What a directory is searched for: prose, records, markup and source code. */
const directoryExtensions = new Set(
  (
    'txt text md markdown rst adoc org tex jsonl ndjson html htm xml csv tsv json yaml yml toml ' +
    'js mjs cjs jsx ts mts cts tsx py rb go rs c h cc cpp hpp cs java kt swift scala php pl r ' +
    'jl lua sh sql hs ml ex erl clj css scss'
  ).split(' '),
);

/**
 * Documents one by one, in sorted order of their files: a file is one document, each JSON
 * line (`.jsonl`, `.ndjson`) is one; `.gz` of both is unzipped. A directory is searched
 * recursively for text files by their extension; hidden ones and `node_modules` are left
 * out. Documents of white space alone are skipped.
 *
 * @throws InvalidFileError for a missing path, binary or malformed content, a JSON line
 * without the field, or no text at all; CancelledError.
 */
export async function* streamDocuments(
  path: string,
  options: TextOptions = {},
): AsyncGenerator<TextDocument> {
  const status = await stat(path).catch(() => null);
  if (!status) {
    throw new InvalidFileError(path, 'text', 'a file or a directory', 'nothing there');
  }
  const files = status.isDirectory() ? await textFiles(path) : [path];
  let found = false;
  for (const file of files) {
    const name = status.isDirectory()
      ? relative(path, file).split(sep).join('/')
      : basename(file);
    for await (const document of documentsOfFile(file, name, options)) {
      if (document.text.trim() === '') continue;
      found = true;
      yield document;
    }
  }
  if (!found) {
    const received = files.length === 1 ? 'an empty one' : `${files.length} empty files`;
    throw new InvalidFileError(path, 'text', 'a file with text', received);
  }
}

/** All documents in memory with a hash of their content. Throws as `streamDocuments`. */
export async function readText(
  path: string,
  options: TextOptions = {},
): Promise<TextCollection> {
  const documents: TextDocument[] = [];
  for await (const document of streamDocuments(path, options)) documents.push(document);
  return collectionOf(documents);
}

/** Documents already in memory as a collection. */
export function collectionOf(documents: readonly TextDocument[]): TextCollection {
  const hash = createHash('sha256');
  let bytes = 0;
  for (const { name, text } of documents) {
    const length = Buffer.byteLength(text);
    hash.update(`${JSON.stringify(name)} ${length}\n`).update(text);
    bytes += length;
  }
  return { documents, hash: hash.digest('hex'), bytes };
}

async function textFiles(directory: string): Promise<string[]> {
  const files: string[] = [];
  const visit = async (at: string): Promise<void> => {
    for (const entry of await readdir(at, { withFileTypes: true })) {
      if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
      const path = join(at, entry.name);
      // Linked files are read; linked directories could lead in a circle.
      const isFile =
        entry.isFile() ||
        (entry.isSymbolicLink() && (await stat(path).catch(() => null))?.isFile());
      if (entry.isDirectory()) await visit(path);
      else if (isFile && directoryExtensions.has(extensionOf(entry.name)))
        files.push(path);
    }
  };
  await visit(directory);
  if (files.length === 0) {
    const expected =
      'a directory with text files (.txt, .md, .jsonl, source code, .gz of these)';
    throw new InvalidFileError(directory, 'text', expected, 'none');
  }
  return files.sort();
}

/** The extension without the dot, under a `.gz`. */
function extensionOf(name: string): string {
  const parts = name.replace(/\.gz$/, '').toLowerCase().split('.');
  return parts.length > 1 ? parts.at(-1)! : '';
}

async function* documentsOfFile(
  path: string,
  name: string,
  options: TextOptions,
): AsyncGenerator<TextDocument> {
  const extension = extensionOf(path);
  if (extension !== 'jsonl' && extension !== 'ndjson') {
    const parts: string[] = [];
    for await (const part of decodedParts(path, options)) parts.push(part);
    yield { name, text: parts.join('') };
    return;
  }
  const { field = 'text' } = options;
  if (field === '') throw new InvalidInputError('field', 'the name of a field', '""');
  let line = 0;
  for await (const text of linesOf(decodedParts(path, options))) {
    line++;
    if (text.trim() === '') continue;
    const record = recordOf(text, path, line);
    const named =
      options.nameField === undefined ? undefined : ownField(record, options.nameField);
    yield {
      name: typeof named === 'string' ? named : `${name}:${line}`,
      text: textOfRecord(record, field, path, line),
    };
  }
}

function recordOf(json: string, file: string, line: number): object {
  let record: unknown;
  try {
    record = JSON.parse(json);
  } catch (error) {
    const received = error instanceof Error ? error.message : String(error);
    throw new InvalidFileError(file, `line ${line}`, 'JSON', received);
  }
  if (typeof record !== 'object' || record === null || Array.isArray(record)) {
    throw new InvalidFileError(file, `line ${line}`, 'a JSON object', 'another value');
  }
  return record;
}

function ownField(record: object, field: string): unknown {
  return Object.hasOwn(record, field) ? Reflect.get(record, field) : undefined;
}

function textOfRecord(record: object, field: string, file: string, line: number): string {
  const value = ownField(record, field);
  if (typeof value !== 'string') {
    const others = Object.keys(record).slice(0, 10).join(', ') || 'no fields';
    const received = value === undefined ? others : `a ${typeof value} in it`;
    throw new InvalidFileError(
      file,
      `line ${line}`,
      `text in field "${field}"`,
      received,
    );
  }
  return value;
}

async function* decodedParts(path: string, options: TextOptions): AsyncGenerator<string> {
  const { maximumBytes = defaultMaximumBytes, signal } = options;
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let position = 0;
  const decode = (chunk?: Uint8Array): string => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
    } catch {
      const expected = 'UTF-8 text';
      throw new InvalidFileError(path, 'text', expected, 'other bytes', position);
    }
  };
  for await (const chunk of streamBytes(path, { maximumBytes, signal })) {
    const zero = chunk.indexOf(0);
    if (zero >= 0) {
      const received = 'a zero byte, as binary files have';
      throw new InvalidFileError(path, 'text', 'UTF-8 text', received, position + zero);
    }
    yield decode(chunk);
    position += chunk.length;
  }
  yield decode();
  throwIfCancelled(signal, `reading ${path}`);
}

async function* linesOf(parts: AsyncIterable<string>): AsyncGenerator<string> {
  let pending: string[] = [];
  for await (const part of parts) {
    const pieces = part.split('\n');
    for (const piece of pieces.slice(0, -1)) {
      pending.push(piece);
      yield pending.join('');
      pending = [];
    }
    pending.push(pieces.at(-1)!);
  }
  yield pending.join('');
}
