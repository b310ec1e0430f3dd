/** Timing of repeated calls. */

/** Median milliseconds of a call, after warm-up calls that do not count. */
export async function medianMilliseconds(
  call: () => Promise<unknown>,
  repetitions = 15,
  warmUp = 3,
): Promise<number> {
  for (let index = 0; index < warmUp; index++) await call();
  const times: number[] = [];
  for (let index = 0; index < repetitions; index++) {
    const started = performance.now();
    await call();
    times.push(performance.now() - started);
  }
  return percentile(times, 0.5);
}

/** The value below which the given share of the values lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}
