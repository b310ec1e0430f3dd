/** Axes of plots: a linear or logarithmic scale and round numbers to mark on it. */

import { formatNumber } from './format.ts';

export interface Axis {
  readonly ticks: readonly { readonly value: number; readonly label: string }[];
  /** Position of a value between two pixel ends. */
  place(value: number, from: number, to: number): number;
}

/**
 * An axis over the values with about `count` round ticks and a little room at both ends;
 * logarithmic where positive values span more than a factor of twelve.
 */
export function axisOver(values: readonly number[], count: number): Axis {
  const least = Math.min(...values);
  const most = Math.max(...values);
  return least > 0 && most / least > 12
    ? logarithmicAxis(least, most)
    : linearAxis(least, most, count);
}

function linearAxis(least: number, most: number, count: number): Axis {
  const spread = most - least || Math.abs(most) || 1;
  const low = least - spread * 0.06;
  const high = most + spread * 0.06;
  const step = roundStep((high - low) / count);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const ticks: Axis['ticks'][number][] = [];
  for (let index = Math.ceil(low / step); index * step <= high; index++) {
    const value = index * step;
    ticks.push({ value, label: formatNumber(value, digits) });
  }
  return {
    ticks,
    place: (value, from, to) => from + ((value - low) / (high - low)) * (to - from),
  };
}

function logarithmicAxis(least: number, most: number): Axis {
  const margin = 0.06 * Math.log10(most / least);
  const low = Math.log10(least) - margin;
  const high = Math.log10(most) + margin;
  const factors = high - low > 3 ? [1] : [1, 2, 5];
  const ticks: Axis['ticks'][number][] = [];
  for (let power = Math.floor(low); power <= high; power++) {
    for (const factor of factors) {
      const value = factor * 10 ** power;
      if (Math.log10(value) < low || Math.log10(value) > high) continue;
      ticks.push({ value, label: formatNumber(value, Math.max(0, -power)) });
    }
  }
  return {
    ticks,
    place: (value, from, to) =>
      from + ((Math.log10(value) - low) / (high - low)) * (to - from),
  };
}

/** The nearest of 1, 2, 5 times a power of ten, by ratio. */
function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  const ratio = step / power;
  if (ratio < 1.45) return power;
  if (ratio < 3.2) return 2 * power;
  return ratio < 7.1 ? 5 * power : 10 * power;
}
