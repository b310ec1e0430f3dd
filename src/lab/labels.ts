/** Short names for the rows of a comparison: the method and the options in which it differs. */

import type { ComparisonRow } from '../nouns/task.ts';

/** Options on one line: `bits=4 groupSize=128`. */
export function optionsText(options: Readonly<Record<string, unknown>>): string {
  return Object.entries(options)
    .map(
      ([name, value]) =>
        `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    )
    .join(' ');
}

/** Of each row those options whose values differ between the rows of its method. */
export function differingOptions(
  rows: readonly ComparisonRow[],
): Readonly<Record<string, unknown>>[] {
  return rows.map((row) => {
    const siblings = rows.filter((other) => other.method === row.method);
    const differs = ([name, value]: [string, unknown]) =>
      siblings.some(
        (other) => JSON.stringify(other.options[name]) !== JSON.stringify(value),
      );
    return Object.fromEntries(Object.entries(row.options).filter(differs));
  });
}

/** A name for each row that tells it from the others: `awq bits=4`. */
export function rowLabels(rows: readonly ComparisonRow[]): string[] {
  return differingOptions(rows).map((options, index) =>
    `${rows[index]!.method} ${optionsText(options)}`.trim(),
  );
}
