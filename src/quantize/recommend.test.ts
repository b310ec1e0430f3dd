/** The recommendation for each kind of budget, ties and failures included. */

import { expect, it } from 'vitest';
import type { ComparisonRow } from '../nouns/task.ts';
import { quantizeBudget, recommendQuantization } from './recommend.ts';

function row(method: string, size: number, perplexity: number): ComparisonRow {
  return {
    method,
    options: { size },
    paper: null,
    metrics: { size, perplexity, perplexityIncrease: perplexity - 10 },
    seconds: 0,
    peakBytes: 0,
  };
}

const failed: ComparisonRow = {
  ...row('failed', 0.1, 9),
  metrics: {},
  error: 'too large',
};
const rows = [
  row('reference', 8, 10),
  failed,
  row('eight', 4, 10.01),
  row('four', 2, 10.08),
  row('three', 1.5, 10.9),
  row('also-four', 2, 10.08),
  row('two', 1, 30),
];
const choose = (budget: Record<string, number>, among = rows) =>
  recommendQuantization(among, quantizeBudget.parse(budget));

it('takes the smallest that is within 1 % when nothing is asked', () => {
  const choice = choose({})!;
  expect(choice.method).toBe('four');
  expect(choice.options).toEqual({ size: 2 });
  expect(choice.reason).toMatch(/at most 1 %.*2\.00 MB.*10\.080.*0\.080 more/);
});

it('takes the lowest perplexity when all are worse than that', () => {
  expect(choose({}, [rows[0], rows[4], rows[6]])!.method).toBe('three');
});

it('takes the smallest within an increase, the most accurate within a size', () => {
  expect(choose({ maxPerplexityIncrease: 1 })!.method).toBe('three');
  expect(choose({ maxPerplexityIncrease: 0.05 })!.method).toBe('eight');
  expect(choose({ maxSize: 3 })!.method).toBe('four');
  expect(choose({ maxSize: 1.2 })!.method).toBe('two');
  expect(choose({ maxSize: 3, maxPerplexityIncrease: 25 })!.method).toBe('two');
});

it('recommends nothing when nothing fits', () => {
  expect(choose({ maxSize: 0.5 })).toBeNull();
  expect(choose({ maxPerplexityIncrease: 0.001 })).toBeNull();
  expect(choose({ maxSize: 1.2, maxPerplexityIncrease: 1 })).toBeNull();
  expect(choose({}, [rows[0], failed])).toBeNull();
});
