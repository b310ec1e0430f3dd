/** What tables and plots of a comparison need to know about its rows. */

import type { ComparisonRow, Metric, Options } from '../api/types.ts';
import { formatOptions } from './format.ts';

/** The row of the untouched input. */
export function isReference(row: Pick<ComparisonRow, 'method'>): boolean {
  return row.method === 'reference';
}

/** The same for equal methods with equal options, whatever the order of these. */
export function rowKey(row: { readonly method: string; readonly options: Options }) {
  const options = Object.entries(row.options).sort(([a], [b]) => a.localeCompare(b));
  return JSON.stringify([row.method, options]);
}

/** Names of the options that tell rows of the same method apart. */
export function tellingOptions(rows: readonly ComparisonRow[]): Set<string> {
  const telling = new Set<string>();
  const first = new Map<string, Options>();
  for (const row of rows) {
    const seen = first.get(row.method);
    if (!seen) {
      first.set(row.method, row.options);
      continue;
    }
    for (const name of new Set([...Object.keys(seen), ...Object.keys(row.options)])) {
      if (JSON.stringify(seen[name]) !== JSON.stringify(row.options[name])) {
        telling.add(name);
      }
    }
  }
  return telling;
}

/** The telling options of a row in a line, or an empty text. */
export function shortOptions(row: ComparisonRow, telling: ReadonlySet<string>): string {
  const entries = Object.entries(row.options).filter(([name]) => telling.has(name));
  return formatOptions(Object.fromEntries(entries));
}

/** The best value of each metric among the rivals, where at least two differ. */
export function bestValues(
  rows: readonly ComparisonRow[],
  metrics: readonly Metric[],
): Map<string, number> {
  const best = new Map<string, number>();
  for (const { name, better } of metrics) {
    const values = rows
      .filter((row) => !isReference(row))
      .map((row) => row.metrics[name])
      .filter((value) => value !== undefined && Number.isFinite(value)) as number[];
    if (new Set(values).size > 1) {
      best.set(name, better === 'lower' ? Math.min(...values) : Math.max(...values));
    }
  }
  return best;
}

/** Rows that no other row beats on both metrics, ordered along the first. */
export function frontier(
  rows: readonly ComparisonRow[],
  x: Metric,
  y: Metric,
): ComparisonRow[] {
  const cost = (row: ComparisonRow, metric: Metric) =>
    (metric.better === 'lower' ? 1 : -1) * row.metrics[metric.name]!;
  const sorted = [...rows].sort(
    (a, b) => cost(a, x) - cost(b, x) || cost(a, y) - cost(b, y),
  );
  let lowest = Number.POSITIVE_INFINITY;
  return sorted.filter((row) => {
    if (cost(row, y) >= lowest) return false;
    lowest = cost(row, y);
    return true;
  });
}
