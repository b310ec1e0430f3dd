/** Tests of the lab with its real database: jobs from submission to result, cancel and resume. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { registry } from '../../test/rooms/guess.ts';
import { addDatabase, temporaryHome } from '../../test/rooms/home.ts';
import { isFinished, type Job, type Work } from './job.ts';
import { type Lab, openLab } from './lab.ts';

// Opening the embedded database takes long on a busy machine.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const registryUrl = new URL('../../test/rooms/guess.ts', import.meta.url);

async function open(home: string): Promise<Lab> {
  const lab = await openLab({
    home,
    registry,
    registryUrl,
    databaseUrl: '',
    graceMilliseconds: 300,
  });
  onTestFinished(() => lab.close());
  return lab;
}

async function finished(lab: Lab, id: string): Promise<Job> {
  const jobs = await lab.jobs();
  for (;;) {
    if (isFinished(jobs.get(id))) return jobs.get(id);
    await wait(20);
  }
}

function compareWith(...candidates: [string, Record<string, unknown>?][]): Work {
  return {
    kind: 'comparison',
    request: {
      task: 'guess',
      inputs: { text: 'abc' },
      candidates: candidates.map(([method, options = {}]) => ({ method, options })),
    },
  };
}

describe('the lab', () => {
  it('runs jobs one after another and keeps results, rows and states', async () => {
    const home = await addDatabase(await temporaryHome());
    const lab = await open(home);
    const first = await lab.submit(compareWith(['slow', { steps: 3 }], ['broken']));
    const second = await lab.submit({ kind: 'claim', request: { paper: 'shift-paper' } });
    expect(first).toMatchObject({
      state: 'queued',
      title: 'Compare guess: slow, broken',
    });
    const states: string[] = [];
    const jobs = await lab.jobs();
    const unwatch = jobs.watch(first.id, (job) => {
      if (states.at(-1) !== job.state) states.push(job.state);
      if (job.state === 'running') expect(jobs.get(second.id).state).toBe('queued');
    });
    const done = await finished(lab, first.id);
    unwatch();
    expect(states.slice(-2)).toEqual(['running', 'done']);
    expect(done.rows.map((row) => row.method)).toEqual(['reference', 'slow', 'broken']);
    expect((await finished(lab, second.id)).state).toBe('done');
    expect(lab.results.list().map((entry) => entry.kind)).toEqual([
      'claim',
      'comparison',
    ]);
    const stored = await lab.results.read(done.result!);
    expect(stored.kind === 'comparison' && stored.result.rows).toEqual(done.rows);
    const database = await lab.database();
    const { rows } = await database.query('select kind from assay.result order by kind');
    expect(rows).toEqual([{ kind: 'claim' }, { kind: 'comparison' }]);
    await lab.close();
    expect(await readdir(join(home, 'work'))).toEqual([]);

    const again = await open(home);
    const listed = (await again.jobs()).list();
    expect(listed.map((job) => job.id)).toEqual([second.id, first.id]);
    expect(listed[1]).toEqual(done);
    expect(await again.ensureFirstComparison('guess')).toBeNull();
  });

  it('refuses a wrong request at once, naming the field', async () => {
    const lab = await open(await addDatabase(await temporaryHome()));
    await expect(lab.submit(compareWith(['nobody']))).rejects.toMatchObject({
      argument: 'candidates.0.method',
    });
    await expect(
      lab.submit(compareWith(['copy'], ['shift', { by: 1.5 }])),
    ).rejects.toMatchObject({ argument: 'candidates.1.options.by' });
    const claim: Work = { kind: 'claim', request: { paper: 'nothing' } };
    await expect(lab.submit(claim)).rejects.toMatchObject({ code: 'not-found' });
    expect((await lab.jobs()).list()).toEqual([]);
  });

  it('cancels waiting, running and stubborn jobs, and outlives crashing ones', async () => {
    const lab = await open(await addDatabase(await temporaryHome()));
    const jobs = await lab.jobs();
    const running = await lab.submit(compareWith(['slow', { steps: 10_000 }]));
    const waiting = await lab.submit(compareWith(['copy']));
    while (jobs.get(running.id).rows.length === 0) await wait(20);
    expect((await jobs.cancel(waiting.id)).state).toBe('cancelled');
    await jobs.cancel(running.id);
    expect((await finished(lab, running.id)).state).toBe('cancelled');
    const stubborn = await lab.submit(compareWith(['stubborn']));
    while (jobs.get(stubborn.id).rows.length === 0) await wait(20);
    await jobs.cancel(stubborn.id);
    expect((await finished(lab, stubborn.id)).state).toBe('cancelled');
    const crashing = await lab.submit(compareWith(['crash']));
    expect(await finished(lab, crashing.id)).toMatchObject({
      state: 'failed',
      error: { code: 'internal', message: expect.stringContaining('SIGKILL') },
    });
    const after = await lab.submit(compareWith(['copy']));
    expect((await finished(lab, after.id)).state).toBe('done');
  });

  it('goes on with an interrupted job where it stopped', async () => {
    const home = await addDatabase(await temporaryHome());
    const log = join(home, 'steps.txt');
    const lab = await open(home);
    const options = { steps: 40, milliseconds: 10, log };
    const { id } = await lab.submit(compareWith(['copy'], ['slow', options]));
    const jobs = await lab.jobs();
    while ((jobs.get(id).progress?.metrics?.step ?? 0) < 5) await wait(5);
    await lab.close();

    const again = await open(home);
    const done = await finished(again, id);
    expect(done).toMatchObject({ state: 'done', error: null });
    expect(done.rows.map((row) => row.method)).toEqual(['reference', 'copy', 'slow']);
    const steps = (await readFile(log, 'utf8')).trim().split('\n').map(Number);
    // The step under way when the process was ended may be done twice, the others once.
    expect(new Set(steps).size).toBe(40);
    expect(steps.length).toBeLessThanOrEqual(41);
  });
});
