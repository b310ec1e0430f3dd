/** Learning rates by step. */

/** Linear warm-up, then half a cosine from the peak down to a share of it. */
export interface WarmupCosine {
  readonly peak: number;
  readonly warmup: number;
  readonly steps: number;
  /** Learning rate at the end, as a share of the peak. */
  readonly floor: number;
}

/**
 * Learning rate of step `step` (0 is the first): `peak * (step + 1) / warmup` while warming
 * up, then `floor + (1 - floor) / 2 * (1 + cos(pi * progress))` of the peak
 * (cosine annealing: arXiv 1608.03983, eq. 5, without restarts).
 */
export function learningRateAt(schedule: WarmupCosine, step: number): number {
  const { peak, warmup, steps, floor } = schedule;
  if (step < warmup) return (peak * (step + 1)) / warmup;
  const progress = Math.min(1, (step - warmup) / Math.max(1, steps - warmup));
  return peak * (floor + ((1 - floor) / 2) * (1 + Math.cos(Math.PI * progress)));
}
