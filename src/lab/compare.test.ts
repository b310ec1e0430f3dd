/** Tests of comparisons on a throwaway room. */

import { describe, expect, it } from 'vitest';
import { registry } from '../../test/rooms/guess.ts';
import { CancelledError } from '../error.ts';
import { memoryCheckpoint, type Progress, runContext } from '../nouns/run.ts';
import type { ComparisonRow } from '../nouns/task.ts';
import { compare } from './compare.ts';

const base = { registry, task: 'guess', inputs: { text: 'abcd' }, context: runContext() };

describe('compare', () => {
  it('measures the reference first and then the default rivals', async () => {
    const seen: ComparisonRow[] = [];
    const result = await compare({ ...base, onRow: (row) => seen.push(row) });
    expect(result.rows.map((row) => row.method)).toEqual(['reference', 'copy', 'shift']);
    expect(result.rows.map((row) => row.metrics.error)).toEqual([0, 0, 1]);
    expect(result.rows[2]).toMatchObject({ paper: 'shift-paper', options: { by: 1 } });
    expect(result.inputs).toEqual({ text: 'abcd' });
    expect(result.recommendation?.method).toBe('copy');
    expect(seen).toEqual(result.rows);
  });

  it('turns a failing, an oversized and a cut rival into rows with an error', async () => {
    const candidates = ['broken', 'greedy', 'copy'].map((method) => ({
      method,
      options: {},
    }));
    const { rows } = await compare({ ...base, candidates });
    expect(rows[1]).toMatchObject({ metrics: {}, error: 'this method always fails' });
    expect(rows[2]?.error).toMatch(/needs about .* of memory/);
    expect(rows[3]?.error).toBeUndefined();
  });

  it('refuses wrong options before anything runs, naming method and option', async () => {
    const candidates = [{ method: 'shift', options: { by: 99 } }];
    const rows: ComparisonRow[] = [];
    const run = compare({ ...base, candidates, onRow: (row) => rows.push(row) });
    await expect(run).rejects.toThrow(/shift\.by.*25.*99/);
    expect(rows).toEqual([]);
    const unknown = [{ method: 'shift', options: { bi: 1 } }];
    await expect(compare({ ...base, candidates: unknown })).rejects.toThrow(/shift\.bi/);
  });

  it('refuses unknown tasks, methods, inputs and budgets', async () => {
    await expect(compare({ ...base, task: 'nothing' })).rejects.toMatchObject({
      code: 'not-found',
    });
    const candidates = [{ method: 'nobody', options: {} }];
    await expect(compare({ ...base, candidates })).rejects.toThrow(/nobody.*known: copy/);
    await expect(compare({ ...base, inputs: { txt: 'a' } })).rejects.toThrow(/txt/);
    await expect(compare({ ...base, budget: { maxError: -1 } })).rejects.toThrow(
      /maxError/,
    );
  });

  it('reports progress that never goes back and ends at the total', async () => {
    const updates: Progress[] = [];
    const context = runContext({ progress: (update) => updates.push(update) });
    const candidates = [{ method: 'slow', options: { steps: 4, milliseconds: 1 } }];
    await compare({ ...base, context, candidates });
    const fractions = updates.map(({ done, total }) => done / total);
    expect(fractions).toEqual([...fractions].sort((left, right) => left - right));
    expect(fractions.at(-1)).toBe(1);
    expect(updates.some(({ label }) => label === 'slow: step 2 of 4')).toBe(true);
  });

  it('goes on from its checkpoint without measuring rows again', async () => {
    const checkpoint = memoryCheckpoint();
    const stop = new AbortController();
    const candidates = [
      { method: 'shift', options: { by: 2 } },
      { method: 'slow', options: { steps: 50, milliseconds: 5 } },
    ];
    const first = compare({
      ...base,
      candidates,
      context: runContext({
        checkpoint,
        signal: stop.signal,
        progress: ({ label }) => label.includes('step 3') && stop.abort(),
      }),
    });
    await expect(first).rejects.toThrow(CancelledError);
    const labels: string[] = [];
    const second = await compare({
      ...base,
      candidates,
      context: runContext({ checkpoint, progress: ({ label }) => labels.push(label) }),
    });
    const fresh = await compare({ ...base, candidates });
    expect(labels.some((label) => label.startsWith('shift'))).toBe(false);
    const plain = (rows: readonly ComparisonRow[]) =>
      rows.map(({ seconds: _, peakBytes: __, ...rest }) => rest);
    expect(plain(second.rows)).toEqual(plain(fresh.rows));
  });
});
