/** Jobs of one home: submitted, queued, run in their own processes, watched, cancelled and resumed. */

import { randomUUID } from 'node:crypto';
import { AssayError } from '../error.ts';
import type { Progress } from '../nouns/run.ts';
import { openCheckpoint, sweepCheckpoints } from './checkpoint.ts';
import type { Database } from './database/database.ts';
import { createQueue } from './database/queue.ts';
import {
  isFinished,
  type Job,
  type JobChange,
  secondsLeft,
  titleOf,
  type Work,
} from './job.ts';
import { openJobQueue } from './job-queue.ts';
import { insertJob, type JobRecord, loadJobs, updateJob } from './job-table.ts';
import { type Runner, type RunnerOutcome, startRunner } from './runner.ts';

export interface JobsRequest {
  readonly home: string;
  /** Identifier of the home: several homes may share one database server. */
  readonly homeId: string;
  readonly database: Database;
  /** URL of a module that exports `registry`, for the processes that do the work. */
  readonly registry: URL;
  /** Jobs that run at the same time. */
  readonly concurrency: number;
  /** Threads that one run may use. */
  readonly threads: number;
  readonly graceMilliseconds: number;
  /** Called with a stored result before its job counts as done. */
  readonly onResult: (id: string) => Promise<void>;
  readonly log: (line: string) => void;
}

export interface Jobs {
  submit(work: Work): Promise<Job>;
  /** Newest first. */
  list(): readonly Job[];
  /** Throws `not-found`. */
  get(id: string): Job;
  /** Finished jobs stay as they are. Throws `not-found`. */
  cancel(id: string): Promise<Job>;
  /** Calls `listener` at every change until the returned function is called. */
  watch(id: string, listener: (job: Job) => void): () => void;
  /** Stops running jobs in a way that lets them go on at the next start. */
  close(): Promise<void>;
}

/**
 * A job during which the owner died this often is not tried again. Generous, because it is
 * seldom the job's fault: its own process may die without harm to the owner.
 */
const maximumAttempts = 25;
const saveEveryMilliseconds = 2000;

export async function openJobs(request: JobsRequest): Promise<Jobs> {
  const { home, homeId, database, log } = request;
  const records = new Map<string, JobRecord>();
  const runners = new Map<string, Runner>();
  const running = new Map<string, Promise<void>>();
  const cancelled = new Set<string>();
  const listeners = new Map<string, Set<(job: Job) => void>>();
  const lastSaved = new Map<string, number>();
  const inOrder = createQueue();
  let closing = false;

  const queue = await openJobQueue({
    database,
    name: `assay-${homeId}`,
    concurrency: request.concurrency,
    log,
  });

  const recordOf = (id: string): JobRecord => {
    const record = records.get(id);
    if (!record) throw new AssayError('not-found', `no job "${id}" here`);
    return record;
  };
  const save = (id: string): Promise<void> => {
    lastSaved.set(id, performance.now());
    return inOrder(() => updateJob(database, recordOf(id))).catch((error: Error) => {
      log(`job ${id}: ${error.message}`);
    });
  };
  const change = (id: string, update: JobChange, attempts?: number): void => {
    const record = recordOf(id);
    const job = { ...record.job, ...update } as Job;
    records.set(id, { job, attempts: attempts ?? record.attempts });
    for (const listener of listeners.get(id) ?? []) listener(job);
    const isProgress = update.state === undefined && update.rows === undefined;
    const recent = performance.now() - (lastSaved.get(id) ?? 0) < saveEveryMilliseconds;
    if (!isProgress || !recent) void save(id);
  };

  /** Brings back what an earlier process left unfinished. */
  const recover = async (): Promise<void> => {
    for (const record of (await loadJobs(database, homeId)).reverse()) {
      const { id } = record.job;
      records.set(id, record);
      if (isFinished(record.job)) continue;
      if (record.attempts >= maximumAttempts) {
        const message = `the process ended ${record.attempts} times while this job ran`;
        const finishedAt = new Date().toISOString();
        change(id, { state: 'failed', error: { code: 'internal', message }, finishedAt });
        await queue.remove(id).catch(() => {});
        continue;
      }
      await queue.restore(id);
      change(id, { state: 'queued' });
    }
  };

  const handle = async (id: string, signal: AbortSignal): Promise<void> => {
    const record = records.get(id);
    if (!record || isFinished(record.job)) return;
    const work = running.get(id) ?? run(id, signal).finally(() => running.delete(id));
    running.set(id, work);
    await work;
  };

  const run = async (id: string, signal: AbortSignal): Promise<void> => {
    const { job, attempts } = recordOf(id);
    const started = performance.now();
    change(
      id,
      { state: 'running', startedAt: new Date().toISOString(), progress: null, rows: [] },
      attempts + 1,
    );
    await save(id);
    const runner = startRunner({
      home,
      job: id,
      work: job,
      threads: request.threads,
      registry: request.registry,
      graceMilliseconds: request.graceMilliseconds,
      progress: (update: Progress) => {
        const elapsed = (performance.now() - started) / 1000;
        change(id, {
          progress: { ...update, secondsLeft: secondsLeft(update, elapsed) },
        });
      },
      row: (row) => change(id, { rows: [...recordOf(id).job.rows, row] }),
      log: (text) => log(text.trimEnd()),
    });
    runners.set(id, runner);
    const expire = () => runner.cancel();
    signal.addEventListener('abort', expire);
    if (cancelled.has(id)) runner.cancel();
    if (closing) runner.kill();
    const outcome = await runner.outcome;
    signal.removeEventListener('abort', expire);
    runners.delete(id);
    await settle(id, outcome);
  };

  const settle = async (id: string, outcome: RunnerOutcome): Promise<void> => {
    if (outcome.type === 'done') {
      const { result, checkpoint } = outcome;
      await request.onResult(result);
      finish(id, { state: 'done', result });
      await save(id);
      await openCheckpoint(home, checkpoint).clear();
      return;
    }
    if (closing && !cancelled.has(id)) {
      change(id, { state: 'queued', progress: null }, recordOf(id).attempts - 1);
      await save(id);
      // Tells the queue that the job is to be taken again.
      throw new Error('the process is closing');
    }
    const { code, message } = outcome;
    if (code === 'cancelled' && cancelled.has(id)) finish(id, { state: 'cancelled' });
    else finish(id, { state: 'failed', error: { code, message } });
    await save(id);
  };

  const finish = (id: string, update: JobChange): void => {
    cancelled.delete(id);
    change(id, { ...update, finishedAt: new Date().toISOString() });
  };

  await recover();
  const unfinished = [...records.values()].some(({ job }) => !isFinished(job));
  if (!unfinished) await sweepCheckpoints(home);
  await queue.work(handle);

  return {
    async submit(work) {
      if (closing) throw new AssayError('busy', 'the app is closing');
      const job: Job = {
        ...work,
        id: randomUUID(),
        title: titleOf(work),
        state: 'queued',
        progress: null,
        rows: [],
        result: null,
        error: null,
        createdAt: new Date().toISOString(),
        startedAt: null,
        finishedAt: null,
      };
      const record = { job, attempts: 0 };
      records.set(job.id, record);
      try {
        await database.transaction(async (transaction) => {
          await insertJob(transaction, homeId, record);
          await queue.send(job.id, transaction);
        });
      } catch (error) {
        records.delete(job.id);
        throw error;
      }
      queue.wake();
      return recordOf(job.id).job;
    },
    list: () =>
      [...records.values()]
        .map((record) => record.job)
        .sort((left, right) => (left.createdAt < right.createdAt ? 1 : -1)),
    get: (id) => recordOf(id).job,
    async cancel(id) {
      if (isFinished(recordOf(id).job)) return recordOf(id).job;
      cancelled.add(id);
      const runner = runners.get(id);
      if (runner) runner.cancel();
      else if (!running.has(id)) {
        finish(id, { state: 'cancelled' });
        await save(id);
        await queue.remove(id);
      }
      return recordOf(id).job;
    },
    watch(id, listener) {
      recordOf(id);
      const known = listeners.get(id) ?? new Set();
      listeners.set(id, known.add(listener));
      return () => {
        known.delete(listener);
        if (known.size === 0 && listeners.get(id) === known) listeners.delete(id);
      };
    },
    async close() {
      if (closing) return;
      closing = true;
      await queue.pause();
      for (const runner of runners.values()) runner.kill();
      await Promise.allSettled(running.values());
      await inOrder(async () => {});
      await queue.close();
    },
  };
}
