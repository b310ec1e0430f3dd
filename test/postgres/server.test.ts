/** The lab on a PostgreSQL server named by DATABASE_URL: the same SQL, jobs and search. */

import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { createFeed } from '../../src/feed/feed.ts';
import { openServer } from '../../src/lab/database/server.ts';
import { isFinished, type Job } from '../../src/lab/job.ts';
import { type Lab, openLab } from '../../src/lab/lab.ts';
import { testDatabase } from '../rooms/database-contract.ts';
import { registry } from '../rooms/guess.ts';
import { temporaryHome } from '../rooms/home.ts';
import { papers } from '../rooms/papers.ts';

const url = process.env.DATABASE_URL;
const made: string[] = [];

/** URL of a new, empty database on the server. */
async function freshDatabase(): Promise<string> {
  const name = `assay_test_${randomUUID().replaceAll('-', '')}`;
  const server = await openServer(url!);
  await server.execute(`create database ${name}`);
  await server.close();
  made.push(name);
  const fresh = new URL(url!);
  fresh.pathname = `/${name}`;
  return fresh.href;
}

afterAll(async () => {
  if (!url) return;
  const server = await openServer(url);
  for (const name of made) await server.execute(`drop database ${name} with (force)`);
  await server.close();
});

async function open(home: string, databaseUrl: string): Promise<Lab> {
  const lab = await openLab({
    home,
    registry,
    registryUrl: new URL('../rooms/guess.ts', import.meta.url),
    databaseUrl,
    graceMilliseconds: 300,
  });
  onTestFinished(() => lab.close());
  return lab;
}

async function finished(lab: Lab, id: string): Promise<Job> {
  const jobs = await lab.jobs();
  while (!isFinished(jobs.get(id))) await wait(20);
  return jobs.get(id);
}

describe.skipIf(!url)('a PostgreSQL server (needs DATABASE_URL)', () => {
  testDatabase(async () => openServer(await freshDatabase()));

  it('runs, cancels and resumes jobs', async () => {
    const [home, databaseUrl] = [await temporaryHome(), await freshDatabase()];
    const lab = await open(home, databaseUrl);
    const jobs = await lab.jobs();
    const candidates = [{ method: 'slow', options: { steps: 100, milliseconds: 10 } }];
    const request = { task: 'guess', inputs: { text: 'abc' }, candidates };
    const dropped = await lab.submit({ kind: 'comparison', request });
    while (jobs.get(dropped.id).rows.length === 0) await wait(20);
    await jobs.cancel(dropped.id);
    expect((await finished(lab, dropped.id)).state).toBe('cancelled');
    const seeded = { ...request, seed: 1 };
    const { id } = await lab.submit({ kind: 'comparison', request: seeded });
    while ((jobs.get(id).progress?.metrics?.step ?? 0) < 5) await wait(5);
    await lab.close();
    const again = await open(home, databaseUrl);
    expect(await finished(again, id)).toMatchObject({ state: 'done', error: null });
    const { rows } = await (await again.database()).query(
      'select kind from assay.result',
    );
    expect(rows).toEqual([{ kind: 'comparison' }]);
  });

  it('keeps the jobs of two homes apart', async () => {
    const databaseUrl = await freshDatabase();
    const [left, right] = await Promise.all([
      open(await temporaryHome(), databaseUrl),
      open(await temporaryHome(), databaseUrl),
    ]);
    const claim = { kind: 'claim', request: { paper: 'shift-paper' } } as const;
    const [one, two] = await Promise.all([left.submit(claim), right.submit(claim)]);
    expect((await finished(left, one.id)).state).toBe('done');
    expect((await finished(right, two.id)).state).toBe('done');
    expect((await left.jobs()).list()).toHaveLength(1);
    expect(left.results.list()).toHaveLength(1);
  });

  it('searches for the feed', async () => {
    const lab = await open(await temporaryHome(), await freshDatabase());
    await lab.jobs();
    const feed = createFeed(papers, lab);
    const { items } = await feed.list({ q: 'quantiz', limit: 10 });
    expect(items.map((paper) => paper.slug)).toEqual(['weights', 'rounding']);
  });

  it('that is not there is an error of one line', async () => {
    const lab = await open(await temporaryHome(), 'postgres://nobody@127.0.0.1:1/none');
    const error = await lab.jobs().then(
      () => new Error('it opened'),
      (reason: Error) => reason,
    );
    expect(error).toMatchObject({ code: 'environment' });
    expect(error.message).toMatch(/^cannot use the database of DATABASE_URL: .+$/);
    expect(lab.databaseState).toBe('failed');
  });
});
