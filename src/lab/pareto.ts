/** The Pareto front of a comparison: rows that no other row beats on both axes. */

import type { ComparisonRow, Metric } from '../nouns/task.ts';

/** One row as a point; `front` when no other row is at least as good on both axes and better on one. */
export interface ParetoPoint {
  /** Place of the row in the comparison. */
  readonly index: number;
  readonly x: number;
  readonly y: number;
  readonly front: boolean;
}

/** Points of all rows that have both metrics, in the order of the rows. */
export function paretoPoints(
  rows: readonly ComparisonRow[],
  x: Pick<Metric, 'name' | 'better'>,
  y: Pick<Metric, 'name' | 'better'>,
): ParetoPoint[] {
  const points = rows.flatMap((row, index) => {
    const [across, up] = [row.metrics[x.name], row.metrics[y.name]];
    return row.error !== undefined || across === undefined || up === undefined
      ? []
      : [{ index, x: across, y: up }];
  });
  const cost = (value: number, better: Metric['better']) =>
    better === 'lower' ? value : -value;
  const costs = points.map(
    (point) => [cost(point.x, x.better), cost(point.y, y.better)] as const,
  );
  return points.map((point, own) => {
    const [ownX, ownY] = costs[own]!;
    const beaten = costs.some(
      ([otherX, otherY]) =>
        otherX <= ownX && otherY <= ownY && (otherX < ownX || otherY < ownY),
    );
    return { ...point, front: !beaten };
  });
}
