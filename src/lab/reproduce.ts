/** Runs the claim of a paper over seeds and judges it. */

import { AssayError, InvalidInputError } from '../error.ts';
import type { Claim, ClaimResult, ClaimRow, ClaimSummary } from '../nouns/claim.ts';
import type { RunContext } from '../nouns/run.ts';

export interface ReproduceRequest {
  readonly claim: Claim;
  /** Absent: the seeds of the claim. */
  readonly seeds?: readonly number[] | undefined;
  readonly full?: boolean | undefined;
  readonly context: RunContext;
}

/**
 * Runs a claim and summarises its measurements by method, dataset and metric. The claim holds
 * when every gate that was stated beforehand holds.
 *
 * @throws InvalidInputError for wrong seeds, CancelledError, whatever the experiment throws.
 */
export async function reproduce(request: ReproduceRequest): Promise<ClaimResult> {
  const { claim, context } = request;
  const seeds = request.seeds ?? claim.seeds;
  checkSeeds(seeds);
  const started = performance.now();
  const outcome = await claim.run({ ...context, seeds, full: request.full ?? false });
  const wrong = outcome.rows.find((row) => !Number.isFinite(row.value));
  if (wrong) {
    const { method, metric, dataset, seed, value } = wrong;
    throw new AssayError(
      'unsupported',
      `${metric} of ${method} on ${dataset} with seed ${seed} came out as ${value}`,
    );
  }
  if (outcome.gates.length === 0) {
    throw new Error(`the claim of ${claim.paper} returned no gate to judge it by`);
  }
  return {
    paper: claim.paper,
    statement: claim.statement,
    holds: outcome.gates.every((gate) => gate.holds),
    rows: outcome.rows,
    gates: outcome.gates,
    notes: outcome.notes,
    summary: summarise(outcome.rows),
    seconds: (performance.now() - started) / 1000,
  };
}

/** Mean and sample standard deviation over seeds, in the order of first appearance. */
export function summarise(rows: readonly ClaimRow[]): ClaimSummary[] {
  const groups = new Map<string, ClaimRow[]>();
  for (const row of rows) {
    const key = JSON.stringify([row.method, row.dataset, row.metric]);
    const group = groups.get(key);
    if (group) group.push(row);
    else groups.set(key, [row]);
  }
  return [...groups.values()].map((group) => {
    const { method, dataset, metric } = group[0]!;
    const mean = group.reduce((sum, row) => sum + row.value, 0) / group.length;
    const squares = group.reduce((sum, row) => sum + (row.value - mean) ** 2, 0);
    const std = group.length > 1 ? Math.sqrt(squares / (group.length - 1)) : 0;
    return { method, dataset, metric, mean, std };
  });
}

function checkSeeds(seeds: readonly number[]): void {
  const wrong = seeds.find((seed) => !Number.isInteger(seed) || seed < 0);
  if (seeds.length === 0 || wrong !== undefined) {
    throw new InvalidInputError(
      'seeds',
      'one or more whole numbers of at least 0',
      seeds.length === 0 ? 'none' : String(wrong),
    );
  }
  if (new Set(seeds).size !== seeds.length) {
    throw new InvalidInputError('seeds', 'each seed once', seeds.join(', '));
  }
}
