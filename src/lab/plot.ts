/** The plot of a comparison: a scatter with its Pareto front, as SVG and as text. */

import type { ComparisonRow, Metric } from '../nouns/task.ts';
import { rowLabels } from './labels.ts';
import { type ParetoPoint, paretoPoints } from './pareto.ts';
import { axisTicks, type Scale, scaleFor } from './scale.ts';

/** What the plot needs of a task: its metrics and which of them span the plane. */
export interface PlotAxes {
  readonly title: string;
  readonly metrics: readonly Metric[];
  readonly plot: { readonly x: string; readonly y: string };
}

interface Plot {
  readonly x: Metric;
  readonly y: Metric;
  readonly points: readonly (ParetoPoint & { readonly label: string })[];
}

const width = 720;
const height = 440;
const box = { left: 76, right: 24, top: 44, bottom: 60 } as const;

const style = `
svg{--ink:#1c1e21;--quiet:#62676f;--rule:#e2e4e8;--accent:#1f5fd0;--paper:#fff;
font:13px system-ui,sans-serif;background:var(--paper);color:var(--ink)}
@media(prefers-color-scheme:dark){svg{--ink:#e9eaec;--quiet:#a0a6b0;--rule:#33373d;
--accent:#7eaaff;--paper:#16181b}}
text{fill:var(--ink)}.quiet{fill:var(--quiet)}.rule{stroke:var(--rule)}
.front{fill:none;stroke:var(--accent);stroke-width:1.5;stroke-dasharray:4 3}
.best{fill:var(--accent);stroke:var(--paper);stroke-width:1.5}
.other{fill:var(--paper);stroke:var(--quiet);stroke-width:1.5}
.name{font-size:12px;paint-order:stroke;stroke:var(--paper);stroke-width:3px}`;

/**
 * A self-contained SVG: points of all rivals that did not fail, the Pareto front joined. It
 * follows the reader's light or dark scheme and names every point for those who cannot see it.
 */
export function comparisonSvg(axes: PlotAxes, rows: readonly ComparisonRow[]): string {
  const plot = plotOf(axes, rows);
  const { x, y, points } = plot;
  const across = scaleFor(
    points.map((point) => point.x),
    [box.left, width - box.right],
  );
  const up = scaleFor(
    points.map((point) => point.y),
    [height - box.bottom, box.top],
  );
  const title = `${axes.title}: ${y.title} against ${x.title}`;
  const body =
    points.length === 0
      ? `<text x="${width / 2}" y="${height / 2}" text-anchor="middle" class="quiet">No rival could be measured</text>`
      : [
          ...horizontalAxis(x, across),
          ...verticalAxis(y, up),
          frontLine(plot, across, up),
          ...marks(plot, across, up),
        ].join('');
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
    `width="${width}" height="${height}" role="img" aria-labelledby="plot-title plot-text">` +
    `<title id="plot-title">${escapeXml(title)}</title>` +
    `<desc id="plot-text">${escapeXml(description(plot))}</desc>` +
    `<style>${style}</style>` +
    `<text x="${box.left}" y="24" font-weight="600">${escapeXml(title)}</text>` +
    `${body}</svg>`
  );
}

/** The same plot as text: stars are on the front, circles are not; a legend follows. */
export function comparisonText(
  axes: PlotAxes,
  rows: readonly ComparisonRow[],
  columns = 64,
  lines = 16,
): string {
  const { x, y, points } = plotOf(axes, rows);
  if (points.length === 0) return 'no rival could be measured';
  const across = scaleFor(
    points.map((point) => point.x),
    [0, columns - 1],
  );
  const up = scaleFor(
    points.map((point) => point.y),
    [lines - 1, 0],
  );
  const cells = Array.from({ length: lines }, () => new Array<string>(columns).fill(' '));
  const legend: string[] = [];
  for (const [index, point] of points.entries()) {
    const letter = letterOf(index);
    const line = cells[Math.round(up.place(point.y))]!;
    const column = Math.round(across.place(point.x));
    // Points on one spot share the first one's letter; the legend tells them apart.
    if (line[column] === ' ') line[column] = letter;
    const place = `${number(x, point.x)}, ${number(y, point.y)}`;
    legend.push(`  ${letter}${point.front ? '*' : ' '} ${point.label} (${place})`);
  }
  const labels = axisLabels(y, up, lines);
  const margin = Math.max(...labels.map((label) => label.length));
  const body = cells.map(
    (line, index) => `${labels[index]!.padStart(margin)} |${line.join('').trimEnd()}`,
  );
  const [low, high] = [number(x, across.low), number(x, across.high)];
  const space = ' '.repeat(margin);
  return [
    axisTitle(y),
    ...body,
    `${space} +${'-'.repeat(columns)}`,
    `${space}  ${low}${high.padStart(columns - low.length)}`,
    `${space}  ${axisTitle(x).padStart(columns)}`,
    ...legend,
    '  * no other rival is better on both axes',
  ].join('\n');
}

function plotOf(axes: PlotAxes, rows: readonly ComparisonRow[]): Plot {
  const metric = (name: string): Metric => {
    const found = axes.metrics.find((each) => each.name === name);
    if (!found) throw new Error(`the plot of ${axes.title} names no metric: ${name}`);
    return found;
  };
  const [x, y] = [metric(axes.plot.x), metric(axes.plot.y)];
  const labels = rowLabels(rows);
  const points = paretoPoints(rows, x, y).map((point) => ({
    ...point,
    label: labels[point.index]!,
  }));
  return { x, y, points };
}

function horizontalAxis(metric: Metric, scale: Scale): string[] {
  const bottom = height - box.bottom;
  const ticks = axisTicks(scale, 6).map((value) => {
    const place = round(scale.place(value));
    return (
      `<line class="rule" x1="${place}" x2="${place}" y1="${box.top}" y2="${bottom}"/>` +
      `<text class="quiet" x="${place}" y="${bottom + 18}" text-anchor="middle">${tick(value)}</text>`
    );
  });
  const middle = (box.left + width - box.right) / 2;
  const title = escapeXml(axisTitle(metric));
  return [
    ...ticks,
    `<text x="${middle}" y="${height - 14}" text-anchor="middle">${title}</text>`,
  ];
}

function verticalAxis(metric: Metric, scale: Scale): string[] {
  const ticks = axisTicks(scale, 5).map((value) => {
    const place = round(scale.place(value));
    return (
      `<line class="rule" x1="${box.left}" x2="${width - box.right}" y1="${place}" y2="${place}"/>` +
      `<text class="quiet" x="${box.left - 8}" y="${place + 4}" text-anchor="end">${tick(value)}</text>`
    );
  });
  const middle = (box.top + height - box.bottom) / 2;
  const title = escapeXml(axisTitle(metric));
  return [
    ...ticks,
    `<text transform="translate(18 ${middle}) rotate(-90)" text-anchor="middle">${title}</text>`,
  ];
}

function frontLine({ points }: Plot, across: Scale, up: Scale): string {
  const places = points
    .filter((point) => point.front)
    .sort((left, right) => left.x - right.x || left.y - right.y)
    .map((point) => `${round(across.place(point.x))},${round(up.place(point.y))}`);
  return places.length > 1
    ? `<polyline class="front" points="${places.join(' ')}"/>`
    : '';
}

function marks({ x, y, points }: Plot, across: Scale, up: Scale): string[] {
  const taken: { left: number; right: number; y: number }[] = [];
  return points.map((point) => {
    const [cx, cy] = [round(across.place(point.x)), round(up.place(point.y))];
    // About 6.5 pixels a letter at this size; labels turn to the left at the right edge.
    const length = point.label.length * 6.5;
    const toLeft = cx + 10 + length > width;
    const left = toLeft ? cx - 10 - length : cx + 10;
    let line = cy - 6;
    const clashes = () =>
      taken.some(
        (other) =>
          Math.abs(other.y - line) < 13 &&
          left < other.right &&
          left + length > other.left,
      );
    while (clashes()) line += 13;
    taken.push({ left, right: left + length, y: line });
    const place = `${axisTitle(x)} ${number(x, point.x)}, ${axisTitle(y)} ${number(y, point.y)}`;
    const name = escapeXml(point.label);
    return (
      `<g><title>${name}: ${escapeXml(place)}</title>` +
      `<circle class="${point.front ? 'best' : 'other'}" cx="${cx}" cy="${cy}" r="5.5"/>` +
      `<text class="name" x="${round(toLeft ? cx - 10 : cx + 10)}" y="${round(line)}"` +
      `${toLeft ? ' text-anchor="end"' : ''}>${name}</text></g>`
    );
  });
}

function description({ x, y, points }: Plot): string {
  const each = points.map(
    (point) =>
      `${point.label}: ${x.title} ${number(x, point.x)}, ${y.title} ${number(y, point.y)}` +
      `${point.front ? ', on the front' : ''}`,
  );
  return each.length > 0 ? `${each.join('; ')}.` : 'No rival could be measured.';
}

function axisLabels(metric: Metric, scale: Scale, lines: number): string[] {
  const labels = new Array<string>(lines).fill('');
  labels[0] = number(metric, scale.high);
  labels[lines - 1] = number(metric, scale.low);
  return labels;
}

function axisTitle(metric: Metric): string {
  return metric.unit ? `${metric.title} (${metric.unit})` : metric.title;
}

function number(metric: Metric, value: number): string {
  return value.toFixed(metric.digits);
}

function tick(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6 || (size > 0 && size < 1e-3)) return value.toExponential(1);
  return String(Number(value.toPrecision(6)));
}

function letterOf(index: number): string {
  return index < 26 ? String.fromCharCode(97 + index) : '#';
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
