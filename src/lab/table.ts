/** Aligned text tables, of anything and of comparisons and claims in particular. */

import type { ClaimResult } from '../nouns/claim.ts';
import type { AnyTask, ComparisonRow, Metric } from '../nouns/task.ts';
import type { Comparison } from './compare.ts';
import { formatBytes } from './estimate.ts';
import { differingOptions, optionsText, rowLabels } from './labels.ts';

export interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
}

/** Lines of equal column widths: the titles, a rule and the rows. */
export function textTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string {
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...rows.map((row) => row[index]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    columns
      .map(({ align }, index) => {
        const cell = cells[index] ?? '';
        const width = widths[index]!;
        return align === 'left' ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd();
  return [
    line(columns.map((column) => column.title)),
    widths.map((width) => '-'.repeat(width)).join('  '),
    ...rows.map(line),
  ].join('\n');
}

/** Longest list of options that fits beside the numbers. */
const optionsWidth = 40;

/**
 * A comparison as a table, with the errors of failed rivals below it. Of a method that occurs
 * several times the options that differ are shown.
 */
export function comparisonTable(task: AnyTask, comparison: Comparison): string {
  const { rows } = comparison;
  const timed = task.metrics.some((metric) => metric.unit === 's');
  const columns: Column[] = [
    { title: 'method', align: 'left' },
    { title: 'options', align: 'left' },
    ...task.metrics.map((metric) => ({
      title: metric.unit ? `${metric.title} (${metric.unit})` : metric.title,
      align: 'right' as const,
    })),
    ...(timed ? [] : [{ title: 'time (s)', align: 'right' as const }]),
    { title: 'peak memory', align: 'right' },
  ];
  const differing = differingOptions(rows);
  const lines = rows.map((row, index) => {
    const reference = index === 0;
    const failed = row.error !== undefined;
    const seconds = reference || failed ? '' : row.seconds.toFixed(2);
    const options = optionsText(differing[index]!) || optionsText(row.options);
    return [
      row.method,
      shortened(options),
      ...task.metrics.map((metric) => metricText(metric, row)),
      ...(timed ? [] : [seconds]),
      failed ? 'failed' : reference ? '' : formatBytes(row.peakBytes),
    ];
  });
  const labels = rowLabels(rows);
  const errors = rows.flatMap((row, index) =>
    row.error === undefined ? [] : [`${labels[index]}: ${row.error}`],
  );
  return [textTable(columns, lines), ...errors].join('\n');
}

function shortened(text: string): string {
  return text.length > optionsWidth ? `${text.slice(0, optionsWidth - 1)}…` : text;
}

/** The summary of a claim as a table, with its gates and verdict. */
export function claimTable(result: ClaimResult): string {
  const columns: Column[] = [
    { title: 'method', align: 'left' },
    { title: 'dataset', align: 'left' },
    { title: 'metric', align: 'left' },
    { title: 'mean', align: 'right' },
    { title: 'std', align: 'right' },
  ];
  const rows = result.summary.map(({ method, dataset, metric, mean, std }) => [
    method,
    dataset,
    metric,
    significant(mean),
    significant(std),
  ]);
  const gates = result.gates.map(
    ({ holds, statement, measured }) =>
      `${holds ? 'holds' : 'fails'}: ${statement} (${measured})`,
  );
  const verdict = `${result.paper}: the claim ${result.holds ? 'holds' : 'does not hold'}`;
  return [textTable(columns, rows), '', ...gates, ...result.notes, '', verdict].join(
    '\n',
  );
}

function metricText(metric: Metric, row: ComparisonRow): string {
  return row.metrics[metric.name]?.toFixed(metric.digits) ?? '';
}

function significant(value: number): string {
  const size = Math.abs(value);
  if (value === 0) return '0';
  return size >= 1e6 || size < 1e-4
    ? value.toExponential(3)
    : String(+value.toPrecision(5));
}
