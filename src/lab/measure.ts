/** Measures how long a piece of work takes and how much memory it adds at its peak. */

import { readFileSync, writeFileSync } from 'node:fs';

export interface Measured<T> {
  readonly value: T;
  readonly seconds: number;
  /** Resident bytes at the peak beyond those at the start; of the whole process. */
  readonly peakBytes: number;
}

/**
 * Runs `work` and measures it. On Linux the kernel's own high-water mark is used, which also
 * sees peaks inside one long native call; elsewhere the resident size is sampled.
 */
export async function measure<T>(work: () => Promise<T>): Promise<Measured<T>> {
  const exact = resetHighWaterMark();
  const before = process.memoryUsage.rss();
  let peak = before;
  const sample = () => {
    peak = Math.max(peak, process.memoryUsage.rss());
  };
  const timer = setInterval(sample, 20);
  const started = performance.now();
  try {
    const value = await work();
    const seconds = (performance.now() - started) / 1000;
    sample();
    if (exact) peak = Math.max(peak, readHighWaterMark());
    return { value, seconds, peakBytes: Math.max(0, peak - before) };
  } finally {
    clearInterval(timer);
  }
}

function resetHighWaterMark(): boolean {
  if (process.platform !== 'linux') return false;
  try {
    writeFileSync('/proc/self/clear_refs', '5');
    return true;
  } catch {
    return false;
  }
}

function readHighWaterMark(): number {
  try {
    const status = readFileSync('/proc/self/status', 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
