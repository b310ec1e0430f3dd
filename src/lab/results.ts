/** Stored results: files named by the SHA-256 of their content, and an index of them. */

import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AssayError, InvalidFileError } from '../error.ts';
import { writeFileAtomic } from '../format/atomic.ts';
import { sha256 } from '../format/hash.ts';
import type { ClaimResult } from '../nouns/claim.ts';
import type { Artifact } from './apply.ts';
import type { Comparison } from './compare.ts';
import type { Machine } from './environment.ts';
import { canonicalJson } from './fingerprint.ts';
import type { ArtifactRequest, ClaimRequest, ComparisonRequest, JobKind } from './job.ts';

/** A result of any kind with its request. */
export type Outcome =
  | {
      readonly kind: 'comparison';
      readonly request: ComparisonRequest;
      readonly result: Comparison;
    }
  | {
      readonly kind: 'claim';
      readonly request: ClaimRequest;
      readonly result: ClaimResult;
    }
  | {
      readonly kind: 'artifact';
      readonly request: ArtifactRequest;
      /** `directory` is the artifact's folder under `<home>/artifacts`. */
      readonly result: Artifact & { readonly directory: string };
    };

/** Everything needed to trace a number and to make it again. */
export type ResultDraft = Outcome & {
  /** Version of this file's form. */
  readonly format: 1;
  /** Hash of everything that decides the result. */
  readonly fingerprint: string;
  readonly title: string;
  readonly hashes: Readonly<Record<string, string>>;
  readonly seed: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: Machine;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly seconds: number;
};

export type StoredResult = ResultDraft & { readonly id: string };
export type StoredComparison = Extract<StoredResult, { kind: 'comparison' }>;
export type StoredClaim = Extract<StoredResult, { kind: 'claim' }>;
export type StoredArtifact = Extract<StoredResult, { kind: 'artifact' }>;

/** What a list shows of a result. */
export interface ResultEntry {
  readonly id: string;
  readonly kind: JobKind;
  readonly title: string;
  readonly task: string | null;
  readonly paper: string | null;
  readonly method: string | null;
  readonly holds: boolean | null;
  readonly finishedAt: string;
  readonly seconds: number;
}

const idPattern = /^[0-9a-f]{64}$/;

/** Writes a result under its hash. Returns its identifier; equal content, equal file. */
export async function writeResult(home: string, draft: ResultDraft): Promise<string> {
  const text = canonicalJson(draft);
  const id = sha256(text);
  await writeFileAtomic(pathOf(home, id), text);
  return id;
}

/**
 * Reads a result and checks it against its name.
 *
 * @throws AssayError `not-found`; InvalidFileError when the file was changed or cut short.
 */
export async function readResult(home: string, id: string): Promise<StoredResult> {
  if (!idPattern.test(id)) throw new AssayError('not-found', `no result "${id}" here`);
  const path = pathOf(home, id);
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    throw new AssayError('not-found', `no result ${id} here`);
  });
  const found = sha256(bytes);
  if (found !== id) {
    throw new InvalidFileError(path, 'content', `SHA-256 ${id}`, found);
  }
  const draft = JSON.parse(bytes.toString('utf8')) as ResultDraft;
  if (draft.format !== 1) {
    throw new InvalidFileError(path, 'format', '1', String(draft.format));
  }
  return { ...draft, id };
}

/** Entries of all readable results, newest first, and what is wrong with the others. */
export async function scanResults(
  home: string,
): Promise<{ entries: ResultEntry[]; damaged: Error[] }> {
  const directory = join(home, 'results');
  await mkdir(directory, { recursive: true });
  const ids = (await readdir(directory))
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .filter((id) => idPattern.test(id));
  const entries: ResultEntry[] = [];
  const damaged: Error[] = [];
  for (const id of ids) {
    try {
      entries.push(entryOf(await readResult(home, id)));
    } catch (error) {
      damaged.push(error as Error);
    }
  }
  return { entries: entries.sort(newestFirst), damaged };
}

export function entryOf(stored: StoredResult): ResultEntry {
  const { id, kind, title, finishedAt, seconds } = stored;
  const common = { id, kind, title, finishedAt, seconds };
  switch (stored.kind) {
    case 'comparison':
      return {
        ...common,
        task: stored.result.task,
        paper: null,
        method: null,
        holds: null,
      };
    case 'claim': {
      const { paper, holds } = stored.result;
      return { ...common, task: null, paper, method: null, holds };
    }
    case 'artifact': {
      const { task, method } = stored.result;
      return { ...common, task, paper: null, method, holds: null };
    }
  }
}

export function newestFirst(left: ResultEntry, right: ResultEntry): number {
  if (left.finishedAt !== right.finishedAt) {
    return left.finishedAt < right.finishedAt ? 1 : -1;
  }
  return left.id < right.id ? -1 : 1;
}

function pathOf(home: string, id: string): string {
  return join(home, 'results', `${id}.json`);
}
