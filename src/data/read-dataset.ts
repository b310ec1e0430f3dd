/** Parses the known data sets: texts with their split, digits as tensors. */

import { float32, int32, type Tensor } from '../array/tensor.ts';
import { InvalidFileError, InvalidInputError } from '../error.ts';
import { readBytes } from '../format/byte-stream.ts';
import { type LocateOptions, locateDataset } from './registry.ts';
import {
  collectionOf,
  readText,
  type TextCollection,
  type TextDocument,
} from './text.ts';

export type Split = 'all' | 'train' | 'test';

/**
 * A text data set, found by `locateDataset`, whole or one side of its usual split.
 * @throws InvalidInputError when the data set is not text; as `locateDataset`.
 */
export async function readTextDataset(
  name: string,
  split: Split = 'all',
  options: LocateOptions = {},
): Promise<TextCollection> {
  const { kind, files, paths } = await locateDataset(name, options);
  if (kind !== 'text') throw new InvalidInputError('dataset', 'a text data set', name);
  const documents: TextDocument[] = [];
  for (const file of files) {
    const nameField = name === 'speeches' ? 'file' : 'path';
    const { signal } = options;
    documents.push(
      ...(await readText(paths[file.path]!, { nameField, signal })).documents,
    );
  }
  return collectionOf(split === 'all' ? documents : sideOf(name, documents, split));
}

function sideOf(
  name: string,
  documents: readonly TextDocument[],
  split: 'train' | 'test',
): TextDocument[] {
  const test = split === 'test';
  switch (name) {
    case 'tinyshakespeare':
      return documents.map(({ name: file, text }) => {
        const cut = Math.floor(text.length * 0.9);
        return { name: file, text: test ? text.slice(cut) : text.slice(0, cut) };
      });
    case 'wikitext2':
      return documents.filter((document) => document.name.startsWith('test') === test);
    case 'speeches':
      return documents.filter(
        ({ name: file }) => Number(file.slice(0, 4)) > 1990 === test,
      );
    default: {
      const sorted = documents.toSorted((a, b) => (a.name < b.name ? -1 : 1));
      return sorted.filter((_, index) => (index % 5 === 4) === test);
    }
  }
}

export interface Digits {
  /** `[rows, 8, 8]`, 0 to 16. */
  readonly images: Tensor;
  /** `[rows]`, 0 to 9. */
  readonly labels: Tensor<'int32'>;
}

/** The digits data set, whole or one side of its split. */
export async function readDigits(
  split: Split = 'all',
  options: LocateOptions = {},
): Promise<Digits> {
  const { files, paths } = await locateDataset('digits', options);
  const path = paths[files[0]!.path]!;
  const limits = { maximumBytes: 16_000_000, signal: options.signal };
  const bytes = await readBytes(path, limits);
  return parseDigits(bytes.toString('latin1'), path, split);
}

/**
 * Parses rows of 64 pixels and a label, separated by commas; with `test` every fifth row.
 * @throws InvalidFileError naming the line that is not such a row.
 */
export function parseDigits(text: string, file: string, split: Split = 'all'): Digits {
  const rows: number[][] = [];
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  for (const [index, line] of lines.entries()) {
    const cells = line.split(',');
    const values = cells.map((cell) =>
      /^\s*\d{1,3}(\.0+)?\s*$/.test(cell) ? Number(cell) : -1,
    );
    const label = values.at(-1)!;
    const fits = values.every((value) => value >= 0 && value <= 16) && label <= 9;
    if (cells.length !== 65 || !fits) {
      const expected = '64 pixels from 0 to 16 and a label from 0 to 9';
      const received = JSON.stringify(line.slice(0, 40));
      throw new InvalidFileError(file, `line ${index + 1}`, expected, received);
    }
    rows.push(values);
  }
  if (rows.length === 0)
    throw new InvalidFileError(file, 'file', 'rows', 'an empty file');
  const test = split === 'test';
  const chosen =
    split === 'all' ? rows : rows.filter((_, index) => (index % 5 === 4) === test);
  return {
    images: float32(
      [chosen.length, 8, 8],
      Float32Array.from(chosen.flatMap((row) => row.slice(0, 64))),
    ),
    labels: int32(
      [chosen.length],
      Int32Array.from(chosen, (row) => row[64]!),
    ),
  };
}
