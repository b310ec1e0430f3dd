/** Which of the measured rivals a user should take. */

import { z } from 'zod';
import type { ComparisonRow, Recommendation } from '../nouns/task.ts';

export const quantizeBudget = z.object({
  maxSize: z
    .number()
    .positive()
    .nullable()
    .default(null)
    .describe('Largest size of the weights, in megabytes (10^6 bytes).')
    .meta({ title: 'Largest size, MB' }),
  maxPerplexityIncrease: z
    .number()
    .min(0)
    .nullable()
    .default(null)
    .describe('Largest increase of perplexity over the untouched model.')
    .meta({ title: 'Largest increase of perplexity' }),
});

export type QuantizeBudget = z.output<typeof quantizeBudget>;

/** Share of the reference's perplexity that counts as unnoticed without a budget. */
const unnoticed = 0.01;

/**
 * - A limit on the increase (with or without one on the size): the smallest that keeps it.
 * - A limit on the size alone: the lowest perplexity within it.
 * - No budget: the smallest whose perplexity rises by at most 1 %, else the lowest
 *   perplexity.
 * Equal sizes go to the lower perplexity, equal both to the earlier row. Null when nothing
 * fits.
 */
export function recommendQuantization(
  rows: readonly ComparisonRow[],
  budget: QuantizeBudget,
): Recommendation | null {
  const measured = rows.filter(
    (row) =>
      row.method !== 'reference' &&
      row.error === undefined &&
      Number.isFinite(row.metrics.size) &&
      Number.isFinite(row.metrics.perplexity),
  );
  const { maxSize, maxPerplexityIncrease } = budget;
  const fits = measured.filter(
    ({ metrics }) =>
      (maxSize === null || metrics.size <= maxSize) &&
      (maxPerplexityIncrease === null ||
        metrics.perplexityIncrease <= maxPerplexityIncrease),
  );
  if (maxPerplexityIncrease !== null) {
    const chosen = smallest(fits);
    if (!chosen) return null;
    const within = maxSize === null ? '' : ` and fits into ${maxSize} MB`;
    return because(
      chosen,
      `the smallest whose perplexity rises by at most ${maxPerplexityIncrease}${within}`,
    );
  }
  if (maxSize !== null) {
    const chosen = mostAccurate(fits);
    return chosen ? because(chosen, `the lowest perplexity within ${maxSize} MB`) : null;
  }
  const unharmed = measured.filter(({ metrics }) => {
    const reference = metrics.perplexity - metrics.perplexityIncrease;
    return metrics.perplexityIncrease <= unnoticed * reference;
  });
  const knee = smallest(unharmed);
  if (knee) return because(knee, 'the smallest whose perplexity rises by at most 1 %');
  const best = mostAccurate(measured);
  return best
    ? because(best, 'the lowest perplexity; all methods raise it by more than 1 %')
    : null;
}

function because(row: ComparisonRow, rule: string): Recommendation {
  const { size, perplexity, perplexityIncrease } = row.metrics;
  const change = perplexityIncrease >= 0 ? 'more' : 'less';
  const numbers =
    `${size.toFixed(2)} MB at perplexity ${perplexity.toFixed(3)}, ` +
    `${Math.abs(perplexityIncrease).toFixed(3)} ${change} than the untouched model`;
  return {
    method: row.method,
    options: row.options,
    reason: `${nameOf(row)} is ${rule}: ${numbers}.`,
  };
}

/** The method with the width of its weights, which alone tells most rows of a method apart. */
function nameOf({ method, options }: ComparisonRow): string {
  const bits = options.bits ?? options.weightBits;
  return bits === undefined ? method : `${method} at ${bits} bits`;
}

function smallest(rows: readonly ComparisonRow[]): ComparisonRow | undefined {
  return first(rows, (row) => [row.metrics.size, row.metrics.perplexity]);
}

function mostAccurate(rows: readonly ComparisonRow[]): ComparisonRow | undefined {
  return first(rows, (row) => [row.metrics.perplexity, row.metrics.size]);
}

/** The row with the lowest key, compared number by number; the earliest of equal ones. */
function first(
  rows: readonly ComparisonRow[],
  key: (row: ComparisonRow) => readonly [number, number],
): ComparisonRow | undefined {
  const sorted = rows.toSorted((a, b) => {
    const [major, minor] = key(a);
    const [otherMajor, otherMinor] = key(b);
    return major - otherMajor || minor - otherMinor;
  });
  return sorted[0];
}
