/** The table of jobs: what the lab was asked for and what became of it. */

import type { Database, Queryable } from './database/database.ts';
import type { Job } from './job.ts';

/** A job and how often a process has started it without coming to an end. */
export interface JobRecord {
  readonly job: Job;
  readonly attempts: number;
}

/** Jobs that are kept in memory and shown. */
const kept = 200;

export async function insertJob(
  queryable: Queryable,
  home: string,
  { job, attempts }: JobRecord,
): Promise<void> {
  await queryable.query(
    `insert into assay.job (id, home, state, created_at, body)
     values ($1, $2, $3, $4, $5::jsonb)`,
    [job.id, home, job.state, job.createdAt, JSON.stringify({ job, attempts })],
  );
}

export async function updateJob(
  queryable: Queryable,
  { job, attempts }: JobRecord,
): Promise<void> {
  await queryable.query(
    'update assay.job set state = $2, body = $3::jsonb where id = $1',
    [job.id, job.state, JSON.stringify({ job, attempts })],
  );
}

/** The newest jobs of a home, and every older one that is not finished, newest first. */
export async function loadJobs(database: Database, home: string): Promise<JobRecord[]> {
  const { rows } = await database.query<{ body: JobRecord }>(
    `select body from assay.job
     where home = $1 and (
       state in ('queued', 'running')
       or id in (select id from assay.job where home = $1 order by created_at desc limit $2)
     )
     order by created_at desc`,
    [home, kept],
  );
  return rows.map((row) => row.body);
}
