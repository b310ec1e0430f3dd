/** Options that tell the rivals of a comparison apart, for labels short enough to read. */

import type { Candidate } from '../nouns/task.ts';

/** Options on one line: `bits=4 groupSize=128`. */
export function optionsText(options: Readonly<Record<string, unknown>>): string {
  return Object.entries(options)
    .map(
      ([name, value]) =>
        `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    )
    .join(' ');
}

/** For each row, its options that are not the same in all rows of its method. */
export function tellingOptions(rows: readonly Candidate[]): string[] {
  return rows.map(({ method, options }) => {
    const rivals = rows.filter((row) => row.method === method);
    const telling = Object.entries(options).filter(([name, value]) =>
      rivals.some((row) => JSON.stringify(row.options[name]) !== JSON.stringify(value)),
    );
    return optionsText(Object.fromEntries(telling));
  });
}
