/** The index of stored results: in memory for the pages, mirrored into the database. */

import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import type { Database } from './database/database.ts';
import {
  entryOf,
  newestFirst,
  type ResultEntry,
  readResult,
  type StoredResult,
  scanResults,
} from './results.ts';

export interface ResultFilter {
  readonly kind?: ResultEntry['kind'] | undefined;
  readonly task?: string | undefined;
  readonly paper?: string | undefined;
}

export interface ResultIndex {
  /** Newest first. */
  list(filter?: ResultFilter): readonly ResultEntry[];
  /** Newest that fits. */
  latest(filter: ResultFilter): ResultEntry | undefined;
  /** Reads a result file. Throws `not-found` and `invalid-file`. */
  read(id: string): Promise<StoredResult>;
  /** Takes a result that was just stored into the index. */
  add(id: string): Promise<void>;
  /** Mirrors the index into a database and keeps it there. */
  attach(database: Database, homeId: string): Promise<void>;
  /** Stops looking for results that other processes store. */
  close(): void;
}

/** Builds the index from the files; damaged ones are left out and named to `log`. */
export async function openResultIndex(
  home: string,
  log: (line: string) => void,
): Promise<ResultIndex> {
  const { entries, damaged } = await scanResults(home);
  for (const error of damaged) log(`left out of the index: ${error.message}`);
  let mirror: ((entries: readonly ResultEntry[]) => Promise<void>) | undefined;
  const add = async (id: string) => {
    if (entries.some((entry) => entry.id === id)) return;
    const entry = entryOf(await readResult(home, id));
    if (entries.some((each) => each.id === id)) return;
    entries.push(entry);
    entries.sort(newestFirst);
    // The file is the truth: a database that fails now is corrected at the next start.
    await mirror?.([entry]).catch((error: Error) => log(`index: ${error.message}`));
  };
  const watcher = watchResults(home, (id) => {
    // A file that is gone again, or damaged, is no result.
    add(id).catch(() => {});
  });
  const list = ({ kind, task, paper }: ResultFilter = {}) =>
    entries.filter(
      (entry) =>
        (kind === undefined || entry.kind === kind) &&
        (task === undefined || entry.task === task) &&
        (paper === undefined || entry.paper === paper),
    );
  return {
    list,
    latest: (filter) => list(filter)[0],
    read: (id) => readResult(home, id),
    add,
    async attach(database, homeId) {
      await database.query('delete from assay.result where home = $1', [homeId]);
      mirror = (list) => insertEntries(database, homeId, list);
      await mirror(entries);
    },
    close: () => watcher?.close(),
  };
}

/** The command line stores results too, while the app runs. */
function watchResults(home: string, found: (id: string) => void): FSWatcher | undefined {
  try {
    const watcher = watch(join(home, 'results'), { persistent: false }, (_, name) => {
      const id = /^([0-9a-f]{64})\.json$/.exec(name ?? '')?.[1];
      if (id !== undefined) found(id);
    });
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    // Without a watcher such results appear at the next start.
    return undefined;
  }
}

async function insertEntries(
  database: Database,
  homeId: string,
  entries: readonly ResultEntry[],
): Promise<void> {
  if (entries.length === 0) return;
  await database.query(
    `insert into assay.result (home, id, kind, task, paper, finished_at, entry)
     select $1, e->>'id', e->>'kind', e->>'task', e->>'paper',
            (e->>'finishedAt')::timestamptz, e
     from jsonb_array_elements($2::jsonb) as e
     on conflict (home, id) do nothing`,
    [homeId, JSON.stringify(entries)],
  );
}
