/** The queue of jobs on pg-boss: what is asked for survives the process, and crashed work comes back. */

import { setTimeout as wait } from 'node:timers/promises';
import { PgBoss } from 'pg-boss';
import type { Database, Queryable, Row } from './database/database.ts';

export interface JobQueue {
  /** Puts a job into the queue, within a transaction of the caller. */
  send(id: string, transaction: Queryable): Promise<void>;
  /** Puts a job back that a dead process had taken, or that was never sent. */
  restore(id: string): Promise<void>;
  /** Takes a waiting job out. */
  remove(id: string): Promise<void>;
  /** Starts to take jobs: `handle` is called with one identifier at a time per worker. */
  work(handle: (id: string, signal: AbortSignal) => Promise<void>): Promise<void>;
  /** Looks for waiting jobs now and not at the next poll. */
  wake(): void;
  /** Takes no more jobs. */
  pause(): Promise<void>;
  close(): Promise<void>;
}

export interface JobQueueRequest {
  readonly database: Database;
  readonly name: string;
  /** Jobs that run at the same time. */
  readonly concurrency: number;
  readonly log: (line: string) => void;
}

/** Longest that pg-boss lets a job run. */
const expireInSeconds = 24 * 60 * 60;

export async function openJobQueue(request: JobQueueRequest): Promise<JobQueue> {
  const { database, name, concurrency, log } = request;
  const boss = await startBoss(database, log);
  // Attempts are counted by the caller, which knows a crash from a regular end of the process.
  await boss.createQueue(name, {
    retryLimit: 1000,
    expireInSeconds,
    heartbeatSeconds: 60,
  });
  let worker: string | undefined;
  const wake = () => {
    if (worker !== undefined) boss.notifyWorker(worker);
  };
  return {
    async send(id, transaction) {
      await boss.send(name, { job: id }, { id, db: bossDatabase(transaction) });
    },
    async restore(id) {
      const found = await boss.getJobById(name, id);
      if (found?.state === 'created' || found?.state === 'retry') return;
      if (found?.state === 'active') {
        await boss.fail(name, id, { reason: 'its process ended' });
        return;
      }
      if (found) await boss.deleteJob(name, id);
      await boss.send(name, { job: id }, { id });
    },
    async remove(id) {
      await boss.cancel(name, id);
    },
    async work(handle) {
      worker = await boss.work<{ job: string }>(
        name,
        { pollingIntervalSeconds: 2, localConcurrency: concurrency },
        async ([job]) => {
          if (job) await handle(job.data.job, job.signal);
        },
      );
    },
    wake,
    async pause() {
      await boss.offWork(name, { wait: false });
    },
    async close() {
      await boss.stop({ graceful: false, close: false });
    },
  };
}

/** Two processes that start on a fresh server at once may both try to make pg-boss's schema. */
async function startBoss(
  database: Database,
  log: (line: string) => void,
): Promise<PgBoss> {
  for (let attempt = 1; ; attempt++) {
    const boss = new PgBoss({
      db: bossDatabase(database),
      backend: database.engine,
      schedule: false,
      registerInstance: false,
      reindex: false,
      monitorVacuum: false,
      openTelemetry: { enabled: false },
    });
    boss.on('error', (error) => log(`job queue: ${error.message}`));
    try {
      return await boss.start();
    } catch (error) {
      await boss.stop({ graceful: false, close: false }).catch(() => {});
      if (attempt === 5) throw error;
      await wait(100 * attempt);
    }
  }
}

function bossDatabase(queryable: Queryable) {
  return {
    async executeSql(sql: string, values?: unknown[]) {
      const { rows } = values?.length
        ? await queryable.query(sql, values)
        : await queryable.execute(sql);
      // pg-boss reads rows of its own statements only.
      return { rows: rows as Row[] };
    },
  };
}
