/** Tests of the process that does a job: it reports, stops when told and may die without harm. */

import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { temporaryHome } from '../../test/rooms/home.ts';
import type { Progress } from '../nouns/run.ts';
import type { ComparisonRow } from '../nouns/task.ts';
import type { Work } from './job.ts';
import { readResult } from './results.ts';
import { startRunner } from './runner.ts';

const registry = new URL('../../test/rooms/guess.ts', import.meta.url);

function compareWith(method: string, options: Record<string, unknown> = {}): Work {
  const candidates = [{ method, options }];
  return {
    kind: 'comparison',
    request: { task: 'guess', inputs: { text: 'abc' }, candidates },
  };
}

function run(home: string, work: Work, graceMilliseconds = 300) {
  const rows: ComparisonRow[] = [];
  const progress: Progress[] = [];
  const runner = startRunner({
    home,
    job: '22222222-2222-4222-8222-222222222222',
    work,
    threads: 1,
    registry,
    graceMilliseconds,
    progress: (update) => progress.push(update),
    row: (row) => rows.push(row),
    log: () => {},
  });
  return { runner, rows, progress };
}

describe('the job process', () => {
  it('reports rows and progress and stores the result', async () => {
    const home = await temporaryHome();
    const { runner, rows, progress } = run(home, compareWith('slow', { steps: 3 }));
    const outcome = await runner.outcome;
    if (outcome.type !== 'done') throw new Error(outcome.message);
    expect(rows.map((row) => row.method)).toEqual(['reference', 'slow']);
    expect(progress.length).toBeGreaterThan(0);
    expect((await readResult(home, outcome.result)).kind).toBe('comparison');
  });

  it('passes on errors with their code', async () => {
    const home = await temporaryHome();
    const { runner } = run(home, compareWith('nobody'));
    expect(await runner.outcome).toMatchObject({ type: 'error', code: 'not-found' });
  });

  it('stops a run that listens, and ends one that does not', async () => {
    const home = await temporaryHome();
    for (const method of ['slow', 'stubborn']) {
      const options = method === 'slow' ? { steps: 1000 } : {};
      const { runner, rows } = run(home, compareWith(method, options));
      while (rows.length === 0) await wait(20);
      runner.cancel();
      expect(await runner.outcome).toMatchObject({ type: 'error', code: 'cancelled' });
    }
  });

  it('survives the death of the process and says how it died', async () => {
    const home = await temporaryHome();
    const { runner } = run(home, compareWith('crash'));
    expect(await runner.outcome).toMatchObject({
      type: 'error',
      code: 'internal',
      message: expect.stringContaining('SIGKILL'),
    });
  });
});
