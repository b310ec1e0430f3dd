/** Tests of running claims and of their summary. */

import { describe, expect, it } from 'vitest';
import { registry } from '../../test/rooms/guess.ts';
import type { Claim, ClaimRow } from '../nouns/claim.ts';
import { runContext } from '../nouns/run.ts';
import { reproduce, summarise } from './reproduce.ts';

const claim = registry.claim('shift-paper');
const context = runContext();

describe('reproduce', () => {
  it('summarises over seeds with the sample standard deviation', async () => {
    const result = await reproduce({ claim, context });
    expect(result).toMatchObject({ paper: 'shift-paper', holds: true });
    expect(result.rows.map((row) => row.seed)).toEqual([0, 1, 2]);
    expect(result.summary).toEqual([
      { method: 'shift', dataset: 'short', metric: 'error', mean: 2, std: 1 },
    ]);
  });

  it('runs other seeds and the larger size when asked', async () => {
    const result = await reproduce({ claim, context, seeds: [7], full: true });
    expect(result.summary[0]).toMatchObject({ dataset: 'long', mean: 8, std: 0 });
  });

  it('does not hold when one gate does not', async () => {
    const failing: Claim = {
      ...claim,
      run: async (given) => {
        const outcome = await claim.run(given);
        const gate = { statement: 'error below 1', holds: false, measured: '2' };
        return { ...outcome, gates: [...outcome.gates, gate] };
      },
    };
    expect((await reproduce({ claim: failing, context })).holds).toBe(false);
  });

  it('refuses wrong seeds and measurements that are no numbers', async () => {
    for (const seeds of [[], [-1], [1.5], [1, 1]]) {
      await expect(reproduce({ claim, context, seeds })).rejects.toThrow(/^seeds/);
    }
    const row: ClaimRow = {
      method: 'm',
      dataset: 'd',
      seed: 0,
      metric: 'loss',
      value: Number.NaN,
    };
    const broken: Claim = {
      ...claim,
      run: async () => ({ rows: [row], gates: [], notes: [] }),
    };
    await expect(reproduce({ claim: broken, context })).rejects.toThrow(/loss of m on d/);
  });

  it('keeps groups apart and in order', () => {
    const rows = ['b', 'a', 'b'].map((method, seed) => ({
      method,
      dataset: 'd',
      metric: 'm',
      seed,
      value: seed,
    }));
    expect(summarise(rows).map(({ method, mean }) => [method, mean])).toEqual([
      ['b', 1],
      ['a', 1],
    ]);
  });
});
