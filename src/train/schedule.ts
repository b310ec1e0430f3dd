/** Learning rates by step. */

/** Linear warm-up, the peak, then half a cosine down to a share of the peak. */
export interface WarmupCosine {
  readonly peak: number;
  readonly warmup: number;
  readonly steps: number;
  /** Steps of the fall at the end; 0 (the default) lets it begin after the warm-up. */
  readonly decay?: number;
  /** Learning rate at the end, as a share of the peak. */
  readonly floor: number;
}

/**
 * Learning rate of step `step` (0 is the first): `peak * (step + 1) / warmup` while warming
 * up, then the peak, and `floor + (1 - floor) / 2 * (1 + cos(pi * progress))` of it while
 * falling (cosine annealing: arXiv 1608.03983, eq. 5, without restarts).
 */
export function learningRateAt(schedule: WarmupCosine, step: number): number {
  const { peak, warmup, steps, decay = 0, floor } = schedule;
  if (step < warmup) return (peak * (step + 1)) / warmup;
  const fall = decay > 0 ? Math.max(warmup, steps - decay) : warmup;
  const progress = Math.min(1, Math.max(0, step - fall) / Math.max(1, steps - fall));
  return peak * (floor + ((1 - floor) / 2) * (1 + Math.cos(Math.PI * progress)));
}
