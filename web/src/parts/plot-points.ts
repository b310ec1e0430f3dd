/** The points of a comparison's plot: where they lie, what they are called, which get a label. */

import type { ComparisonRow, Metric } from '../api/types.ts';
import { type Axis, axisOver } from './axis.ts';
import { formatMetric } from './format.ts';
import { frontier, isReference, rowKey, shortOptions, tellingOptions } from './rows.ts';

export interface PlotPoint {
  readonly key: string;
  readonly name: string;
  /** Its two values in words: `size 1.77 MB, perplexity 6.509`. */
  readonly values: string;
  readonly kind: 'best' | 'other' | 'reference';
  readonly left: number;
  readonly top: number;
}

export interface PlotLabel {
  readonly key: string;
  readonly text: string;
  readonly left: number;
  readonly top: number;
  readonly anchor: 'start' | 'end';
}

/** Pixel ends of the drawing's axes. */
export interface PlotArea {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Points of all rows that have both metrics, in the order of the rows. */
export function plotPoints(
  rows: readonly ComparisonRow[],
  x: Metric,
  y: Metric,
  area: PlotArea,
): { readonly points: PlotPoint[]; readonly xAxis: Axis; readonly yAxis: Axis } {
  const shown = rows.filter((row) => isFinitePair(row, x, y));
  const xAxis = axisOver(valuesOf(shown, x), (area.right - area.left) / 90);
  const yAxis = axisOver(valuesOf(shown, y), (area.bottom - area.top) / 56);
  const telling = tellingOptions(rows);
  const best = new Set(frontier(shown, x, y));
  const points = shown.map((row): PlotPoint => {
    const options = shortOptions(row, telling);
    return {
      key: rowKey(row),
      name: isReference(row) ? 'untouched' : [row.method, options].join(' ').trim(),
      values: `${inWords(row, x)}, ${inWords(row, y)}`,
      kind: isReference(row) ? 'reference' : best.has(row) ? 'best' : 'other',
      left: xAxis.place(row.metrics[x.name]!, area.left, area.right),
      top: yAxis.place(row.metrics[y.name]!, area.bottom, area.top),
    };
  });
  return { points, xAxis, yAxis };
}

/** The line through the rows that no other beats on both metrics, left to right. */
export function frontierPath(
  rows: readonly ComparisonRow[],
  points: readonly PlotPoint[],
  x: Metric,
  y: Metric,
): string {
  const shown = rows.filter((row) => isFinitePair(row, x, y));
  const keys = frontier(shown, x, y).map(rowKey);
  return keys
    .map((key) => points.find((point) => point.key === key)!)
    .sort((a, b) => a.left - b.left)
    .map((point, index) => `${index === 0 ? 'M' : 'L'}${point.left} ${point.top}`)
    .join('');
}

/** Labels of the points that matter, where they hide neither each other nor a point. */
export function plotLabels(points: readonly PlotPoint[], area: PlotArea): PlotLabel[] {
  const labels: PlotLabel[] = [];
  for (const point of points) {
    if (point.kind === 'other') continue;
    const width = point.name.length * 6.8;
    const toLeft = point.left + 14 + width > area.right + 8;
    const left = toLeft ? point.left - 14 : point.left + 14;
    const start = toLeft ? left - width : left;
    const top = point.top - 8;
    const covers = (spotLeft: number, spotTop: number, reach: number) =>
      spotLeft > start - reach &&
      spotLeft < start + width + reach &&
      Math.abs(spotTop - top + 4) < 14;
    const hides =
      points.some((other) => other !== point && covers(other.left, other.top, 6)) ||
      labels.some((label) => {
        const otherWidth = label.text.length * 6.8;
        const otherStart = label.anchor === 'end' ? label.left - otherWidth : label.left;
        return covers(otherStart + otherWidth / 2, label.top - 4, otherWidth / 2);
      });
    if (hides || start < 0) continue;
    labels.push({
      key: point.key,
      text: point.name,
      left,
      top,
      anchor: toLeft ? 'end' : 'start',
    });
  }
  return labels;
}

function isFinitePair(row: ComparisonRow, x: Metric, y: Metric): boolean {
  return (
    Number.isFinite(row.metrics[x.name] ?? Number.NaN) &&
    Number.isFinite(row.metrics[y.name] ?? Number.NaN)
  );
}

function valuesOf(rows: readonly ComparisonRow[], metric: Metric): number[] {
  return rows.map((row) => row.metrics[metric.name]!);
}

function inWords(row: ComparisonRow, metric: Metric): string {
  const unit = metric.unit ? ` ${metric.unit}` : '';
  const name = metric.title.charAt(0).toLowerCase() + metric.title.slice(1);
  return `${name} ${formatMetric(row.metrics[metric.name], metric)}${unit}`;
}
