/** The lab of one home: its owner lock, stored results, database and jobs. */

import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { writeFileAtomic } from '../format/atomic.ts';
import type { Registry } from '../registry.ts';
import type { Database } from './database/database.ts';
import { openDatabase } from './database/open.ts';
import { homeDirectory } from './home.ts';
import { isFinished, type Job, type Work } from './job.ts';
import { type Jobs, openJobs } from './jobs.ts';
import { moduleUrl } from './module-url.ts';
import { acquireOwner } from './owner.ts';
import { openResultIndex, type ResultIndex } from './result-index.ts';
import { checkWork } from './work-check.ts';

export interface LabOptions {
  readonly registry: Registry;
  /** URL of a module that exports the same `registry`, for the processes that do jobs. */
  readonly registryUrl?: URL | undefined;
  /** Absent: `ASSAY_HOME` or `~/.assay`. */
  readonly home?: string | undefined;
  /** URL of a PostgreSQL server. Absent: `DATABASE_URL`; empty: the embedded database. */
  readonly databaseUrl?: string | undefined;
  /** Jobs that run at the same time. */
  readonly concurrency?: number | undefined;
  readonly threads?: number | undefined;
  /** Milliseconds that a cancelled job has to stop by itself. */
  readonly graceMilliseconds?: number | undefined;
  /** Gets a line for what goes wrong in the background. */
  readonly log?: ((line: string) => void) | undefined;
}

export type DatabaseState = 'opening' | 'ready' | 'failed';

export interface Lab {
  readonly home: string;
  readonly registry: Registry;
  readonly results: ResultIndex;
  readonly databaseState: DatabaseState;
  /** The database once it is open. Rejects with `environment` when it cannot be opened. */
  database(): Promise<Database>;
  /** The jobs once the database is open. */
  jobs(): Promise<Jobs>;
  /** Checks a request and puts it into the queue. */
  submit(work: Work): Promise<Job>;
  /** Asks for the default comparison when none is stored or under way. */
  ensureFirstComparison(task?: string): Promise<Job | null>;
  /** Tells later contenders for the home where this process serves. */
  announce(url: string): Promise<void>;
  /** Leaves everything on disk such that the next start goes on, and gives the home free. */
  close(): Promise<void>;
}

/**
 * Takes ownership of a home and opens it. Returns as soon as the results are indexed; the
 * database goes on opening in the background.
 *
 * @throws OwnedError when another process owns the home, AssayError `environment`.
 */
export async function openLab(options: LabOptions): Promise<Lab> {
  const { registry, log = () => {} } = options;
  const home = options.home ?? homeDirectory();
  const owner = await acquireOwner(home);
  let state: DatabaseState = 'opening';
  let results: ResultIndex;
  let homeId: string;
  try {
    results = await openResultIndex(home, log);
    homeId = await identifyHome(home);
  } catch (error) {
    await owner.release();
    throw error;
  }
  const url = options.databaseUrl ?? process.env.DATABASE_URL;
  const opened = openDatabase({ home, url, log });
  const jobsOpened = opened.then(async (database) => {
    await results.attach(database, homeId);
    const jobs = await openJobs({
      home,
      homeId,
      database,
      registry: options.registryUrl ?? moduleUrl('../registry', import.meta.url),
      concurrency: options.concurrency ?? 1,
      threads: options.threads ?? availableParallelism(),
      graceMilliseconds: options.graceMilliseconds ?? 5000,
      onResult: (id) => results.add(id),
      log,
    });
    state = 'ready';
    return jobs;
  });
  jobsOpened.catch((error: Error) => {
    state = 'failed';
    log(error.message);
  });
  const submit = async (work: Work) => {
    checkWork(registry, work);
    return (await jobsOpened).submit(work);
  };
  let closed: Promise<void> | undefined;
  const close = async () => {
    const jobs = await jobsOpened.catch(() => undefined);
    await jobs?.close();
    const database = await opened.catch(() => undefined);
    await database?.close();
    results.close();
    await owner.release();
  };
  return {
    home,
    registry,
    results,
    get databaseState() {
      return state;
    },
    database: () => opened,
    jobs: () => jobsOpened,
    submit,
    async ensureFirstComparison(task = 'quantize') {
      if (!registry.tasks.some(({ name }) => name === task)) return null;
      if (results.latest({ kind: 'comparison', task })) return null;
      const underWay = (await jobsOpened)
        .list()
        .some(
          (job) =>
            job.kind === 'comparison' && job.request.task === task && !isFinished(job),
        );
      return underWay
        ? null
        : submit({ kind: 'comparison', request: { task, inputs: {} } });
    },
    announce: (address) => owner.announce(address),
    close: () => (closed ??= close()),
  };
}

/** A name for the home that stays when its directory moves. */
async function identifyHome(home: string): Promise<string> {
  const path = join(home, 'home.json');
  try {
    const { id } = JSON.parse(await readFile(path, 'utf8')) as { id?: unknown };
    if (typeof id === 'string' && /^[0-9a-f-]{36}$/.test(id)) return id;
  } catch {
    // Made below.
  }
  const id = randomUUID();
  await writeFileAtomic(path, JSON.stringify({ id }));
  return id;
}
