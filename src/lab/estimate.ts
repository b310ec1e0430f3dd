/** Says what a run will need and refuses what cannot fit into the machine's memory. */

import { AssayError } from '../error.ts';
import type { AnyMethod, Estimate } from '../nouns/method.ts';

/** Bytes that this process may still take: the machine's free memory or its own limit. */
export function availableBytes(): number {
  return process.availableMemory();
}

/**
 * What a method will need for an input and (already parsed) options. Throws `cannot-fit` when
 * that is more memory than there is, and whatever the method's own checks throw.
 */
export function estimateRun(
  method: AnyMethod,
  input: unknown,
  options: Readonly<Record<string, unknown>>,
  available: number = availableBytes(),
): Estimate {
  const estimate = method.estimate(input, options);
  if (estimate.bytes > available) {
    throw new AssayError(
      'cannot-fit',
      `${method.name} needs about ${formatBytes(estimate.bytes)} of memory and ` +
        `${formatBytes(available)} are free: close other programs, choose a smaller ` +
        'input, or run it on a larger machine',
    );
  }
  return estimate;
}

const units = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** Bytes for people, in powers of 1000: `1.2 GB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit > 0 && value < 10 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit]}`;
}
