/** A claim: an experiment on real data that tests what a paper says, over seeds. */

import type { RunContext } from './run.ts';

/** One measurement. */
export interface ClaimRow {
  readonly method: string;
  readonly dataset: string;
  readonly seed: number;
  readonly metric: string;
  readonly value: number;
}

/** One condition of the verdict, stated before the run. */
export interface Gate {
  readonly statement: string;
  readonly holds: boolean;
  /** The numbers it was judged on, for a person. */
  readonly measured: string;
}

export interface ClaimOutcome {
  readonly rows: readonly ClaimRow[];
  readonly gates: readonly Gate[];
  /** What was reported without being a condition, in sentences. */
  readonly notes: readonly string[];
}

export interface ClaimContext extends RunContext {
  readonly seeds: readonly number[];
  /** The larger run of `assay reproduce --full`. */
  readonly full: boolean;
}

/** A context whose progress covers the seed at `index` among all seeds of the run. */
export function contextOfSeed(
  context: ClaimContext,
  index: number,
  seed: number,
): ClaimContext {
  const total = context.seeds.length;
  return {
    ...context,
    progress: ({ done, total: whole, label, metrics }) => {
      // Measurements of a seed have no known end: they move within its second half.
      const share = whole > 0 ? (0.5 * done) / whole : 0.5;
      context.progress({
        done: (index + share) / total,
        total: 1,
        label: `seed ${seed}: ${label}`,
        ...(metrics ? { metrics } : {}),
      });
    },
  };
}

export interface Claim {
  readonly paper: string;
  /** What must hold, in one or two sentences. */
  readonly statement: string;
  readonly seeds: readonly number[];
  /** Seconds of the default size on two cores. */
  readonly seconds: number;
  run(context: ClaimContext): Promise<ClaimOutcome>;
}

export interface ClaimSummary {
  readonly method: string;
  readonly dataset: string;
  readonly metric: string;
  readonly mean: number;
  /** Sample standard deviation over seeds; 0 for a single one. */
  readonly std: number;
}

/** Output of `assay reproduce --json`. */
export interface ClaimResult extends ClaimOutcome {
  readonly paper: string;
  readonly statement: string;
  readonly holds: boolean;
  readonly summary: readonly ClaimSummary[];
  readonly seconds: number;
}
