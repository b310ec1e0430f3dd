/** The data sets that Assay knows by name: what they are, whose, and where their files lie. */

import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { AssayError, InvalidFileError, InvalidInputError } from '../error.ts';
import { streamBytes } from '../format/byte-stream.ts';
import { sha256OfFile } from '../format/hash.ts';
import { type DatasetName, datasets } from './datasets.ts';

export interface DatasetFile {
  /** Path below the data directory. */
  readonly path: string;
  /** Size and SHA-256 of the file as published in that form. */
  readonly bytes: number;
  readonly sha256: string;
  /** SHA-256 of what a `.gz` holds: the unzipped file, or one zipped anew, serves as well. */
  readonly contentSha256?: string;
  /** Where it comes from. */
  readonly url: string;
}

export interface Dataset {
  readonly name: string;
  readonly title: string;
  /** Repository and commit. */
  readonly source: string;
  readonly licence: string;
  readonly kind: 'text' | 'digits' | 'checkpoint';
  readonly files: readonly DatasetFile[];
  /** How train and test are told apart, in words. */
  readonly split: string;
}

export interface LocateOptions {
  /** Directories to look in, in order (default: `ASSAY_DATA`, then `~/.cache/assay`). */
  readonly directories?: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

/** A data set whose files were found and whose checksums agree. */
export interface LocatedDataset extends Dataset {
  /** Absolute paths by the files' paths in the registry. */
  readonly paths: Readonly<Record<string, string>>;
}

const largestUnzipped = 1_000_000_000;

/** Where data sets are looked for. */
export function dataDirectories(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string[] {
  const own = environment.ASSAY_DATA;
  const cache = join(homedir(), '.cache', 'assay');
  return own ? [resolve(own), cache] : [cache];
}

/** What is known of a data set. Throws InvalidInputError for an unknown name. */
export function describeDataset(name: string): Dataset {
  if (!Object.hasOwn(datasets, name)) {
    const expected = `a data set among ${Object.keys(datasets).join(', ')}`;
    throw new InvalidInputError('dataset', expected, JSON.stringify(name));
  }
  return datasets[name as DatasetName];
}

/**
 * Finds a data set's files and checks their checksums; nothing is downloaded.
 *
 * @throws AssayError `not-found` that says where each missing file comes from and where to
 * put it, InvalidFileError when a file is there with other content.
 */
export async function locateDataset(
  name: string,
  options: LocateOptions = {},
): Promise<LocatedDataset> {
  const dataset = describeDataset(name);
  const { directories = dataDirectories(), signal } = options;
  const paths: Record<string, string> = {};
  const missing: DatasetFile[] = [];
  for (const file of dataset.files) {
    const path = await findFile(file, directories);
    if (path === null) {
      missing.push(file);
      continue;
    }
    await checkContent(file, path, signal);
    paths[file.path] = path;
  }
  if (missing.length > 0) {
    const [first = '.'] = directories;
    const lines = missing.map(
      (file) => `  ${file.url}\n    to ${join(first, file.path)}`,
    );
    throw new AssayError(
      'not-found',
      `the data set ${name} (${dataset.title}, ${dataset.licence}) is not here; looked in ` +
        `${directories.join(' and ')}. Put each file in its place, or set ASSAY_DATA to a ` +
        `directory that has it:\n${lines.join('\n')}`,
    );
  }
  return { ...dataset, paths };
}

async function findFile(
  file: DatasetFile,
  directories: readonly string[],
): Promise<string | null> {
  const forms = file.contentSha256
    ? [file.path, file.path.replace(/\.gz$/, '')]
    : [file.path];
  for (const directory of directories) {
    for (const form of forms) {
      const path = join(directory, form);
      if ((await stat(path).catch(() => null))?.isFile()) return path;
    }
  }
  return null;
}

async function checkContent(
  file: DatasetFile,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const found = await sha256OfFile(path, signal);
  if (found === file.sha256) return;
  let content = found;
  if (file.contentSha256) {
    const hash = createHash('sha256');
    const limits = { maximumBytes: largestUnzipped, signal };
    for await (const chunk of streamBytes(path, limits)) hash.update(chunk);
    content = hash.digest('hex');
    if (content === file.contentSha256) return;
  }
  const expected = `SHA-256 ${file.contentSha256 ?? file.sha256}, as ${file.url} has`;
  throw new InvalidFileError(path, 'content', expected, content);
}
