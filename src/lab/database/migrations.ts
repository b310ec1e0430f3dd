/** The tables of Assay as an ordered list of changes; a change that has shipped is never edited. */

import type { Database } from './database.ts';

export interface Migration {
  readonly name: string;
  readonly sql: string;
}

export const migrations: readonly Migration[] = [
  {
    name: '0001 papers, results and jobs',
    sql: `
      create table assay.paper (
        slug text primary key,
        title text not null,
        authors text not null,
        summary text not null,
        date date not null,
        room text not null,
        words tsvector not null generated always as (
          setweight(to_tsvector('english'::regconfig, title), 'A')
          || setweight(to_tsvector('simple'::regconfig, slug || ' ' || title), 'A')
          || setweight(to_tsvector('simple'::regconfig, authors), 'B')
          || setweight(to_tsvector('english'::regconfig, summary), 'C')
          || setweight(to_tsvector('simple'::regconfig, summary), 'D')
        ) stored
      );
      create index paper_words on assay.paper using gin (words);
      create table assay.result (
        home text not null,
        id text not null,
        kind text not null,
        task text,
        paper text,
        finished_at timestamptz not null,
        entry jsonb not null,
        primary key (home, id)
      );
      create index result_finished on assay.result (home, finished_at desc);
      create table assay.job (
        id uuid primary key,
        home text not null,
        state text not null,
        created_at timestamptz not null,
        body jsonb not null
      );
      create index job_created on assay.job (home, created_at desc);
    `,
  },
];

// Any constant works, as long as no other program takes the same one.
const lockKey = 7_316_511;

/** Applies what is missing, each change in a transaction of its own; safe to call from many processes. */
export async function migrate(
  database: Database,
  list: readonly Migration[] = migrations,
): Promise<string[]> {
  await database.transaction(async (transaction) => {
    await transaction.query('select pg_advisory_xact_lock($1)', [lockKey]);
    await transaction.execute(`
      create schema if not exists assay;
      create table if not exists assay.migration (
        name text primary key,
        applied_at timestamptz not null default now()
      );
    `);
  });
  const applied: string[] = [];
  for (const { name, sql } of list) {
    const done = await database.transaction(async (transaction) => {
      await transaction.query('select pg_advisory_xact_lock($1)', [lockKey]);
      const { rows } = await transaction.query(
        'select 1 from assay.migration where name = $1',
        [name],
      );
      if (rows.length > 0) return false;
      await transaction.execute(sql);
      await transaction.query('insert into assay.migration (name) values ($1)', [name]);
      return true;
    });
    if (done) applied.push(name);
  }
  return applied;
}
