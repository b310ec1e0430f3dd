/** Linear axes: from values to places, with round ticks. */

export interface Scale {
  /** Ends of the axis in values, a little beyond the data. */
  readonly low: number;
  readonly high: number;
  /** Place of a value between the two ends of the axis in pixels or characters. */
  place(value: number): number;
}

/** A scale that shows all values with a margin of 8 %; a single value sits in the middle. */
export function scaleFor(
  values: readonly number[],
  [start, end]: readonly [number, number],
): Scale {
  const smallest = Math.min(...values);
  const largest = Math.max(...values);
  const size = Math.max(Math.abs(smallest), Math.abs(largest));
  const spread = largest - smallest;
  // Values closer than rounding can tell apart count as a single one.
  const span = spread > size * 1e-9 ? spread : size;
  const margin = span > 1e-300 ? span * 0.08 : 1;
  const low = smallest - margin;
  const high = largest + margin;
  return {
    low,
    high,
    place: (value) => start + ((value - low) / (high - low)) * (end - start),
  };
}

/** About `count` round values within the axis: multiples of 1, 2 or 5 times a power of ten. */
export function axisTicks({ low, high }: Scale, count: number): number[] {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough)!;
  const ticks: number[] = [];
  for (let index = Math.ceil(low / step); index * step <= high; index++) {
    ticks.push(Number((index * step).toPrecision(12)));
  }
  return ticks;
}
