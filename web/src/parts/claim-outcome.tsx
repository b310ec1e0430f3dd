/** What a claim measured: its gates, a table of means, a plot of them, notes. */

import { useRef } from 'react';
import type { ClaimOutcome } from '../api/types.ts';
import { type Axis, axisOver } from './axis.ts';
import { formatLoose, formatMoment, formatNumber, formatSeconds } from './format.ts';
import { Icon } from './icon.tsx';
import { useWidth } from './use-width.ts';
import { Verdict } from './verdict.tsx';

type Summary = ClaimOutcome['summary'];

export function ClaimOutcomeView({ outcome }: { readonly outcome: ClaimOutcome }) {
  const metrics = distinct(outcome.summary.map((entry) => entry.metric));
  const seeds = distinct(outcome.rows.map((row) => String(row.seed)));
  return (
    <div className="outcome">
      <p className="outcome-verdict">
        <Verdict holds={outcome.holds} />
        <span className="muted">
          measured {formatMoment(outcome.finishedAt)}, {formatSeconds(outcome.seconds)},{' '}
          {seeds.length === 1 ? 'seed' : 'seeds'} {seeds.join(', ')}
        </span>
      </p>
      <ul className="gates">
        {outcome.gates.map((gate) => (
          <li
            key={gate.statement}
            className={gate.holds ? 'gate gate-holds' : 'gate gate-fails'}
          >
            <Icon name={gate.holds ? 'check' : 'cross'} />
            <div>
              <span className="visually-hidden">
                {gate.holds ? 'Met: ' : 'Not met: '}
              </span>
              {gate.statement}
              <span className="gate-measured">{gate.measured}</span>
            </div>
          </li>
        ))}
      </ul>
      {metrics.map((metric) => (
        <MetricSummary
          key={metric}
          metric={metric}
          summary={outcome.summary.filter((entry) => entry.metric === metric)}
          seeds={seeds.length}
        />
      ))}
      {outcome.notes.length > 0 ? (
        <ul className="outcome-notes">
          {outcome.notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      ) : null}
      <p className="actions">
        <a className="quiet-button" href={`/api/results/${outcome.id}`} download>
          <Icon name="download" /> Result as JSON
        </a>
      </p>
    </div>
  );
}

interface MetricProps {
  readonly metric: string;
  readonly summary: Summary;
  readonly seeds: number;
}

function MetricSummary({ metric, summary, seeds }: MetricProps) {
  const datasets = distinct(summary.map((entry) => entry.dataset));
  const methods = distinct(summary.map((entry) => entry.method));
  const caption =
    seeds > 1
      ? `${metric}: mean and standard deviation over ${seeds} seeds`
      : `${metric}: one seed`;
  const finite = summary.filter(
    (entry) => Number.isFinite(entry.mean) && Number.isFinite(entry.std),
  );
  const digits = sharedDigits(finite);
  const find = (method: string, dataset: string) =>
    summary.find((entry) => entry.method === method && entry.dataset === dataset);
  return (
    <div className="metric-summary">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard */}
      <section className="table-scroll" tabIndex={0} aria-label={caption}>
        <table className="table">
          <caption>{caption}</caption>
          <thead>
            <tr>
              <th scope="col">Method</th>
              {datasets.map((dataset) => (
                <th key={dataset} scope="col" className="number">
                  {dataset}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {methods.map((method) => (
              <tr key={method}>
                <th scope="row">{method}</th>
                {datasets.map((dataset) => {
                  const entry = find(method, dataset);
                  return (
                    <td key={dataset} className="number">
                      {entry ? formatNumber(entry.mean, digits) : '–'}
                      {entry && seeds > 1 ? (
                        <span className="deviation">
                          {' '}
                          ± {formatNumber(entry.std, digits)}
                        </span>
                      ) : null}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {finite.length > 1 ? (
        <MeansPlot metric={metric} summary={finite} datasets={datasets} />
      ) : null}
    </div>
  );
}

interface PlotProps {
  readonly metric: string;
  readonly summary: Summary;
  readonly datasets: readonly string[];
}

const lineHeight = 26;

/** One line a method, grouped by dataset; bars reach one standard deviation to each side. */
function MeansPlot({ metric, summary, datasets }: PlotProps) {
  const figure = useRef<HTMLElement>(null);
  const width = useWidth(figure, 720);
  const names = Math.min(190, width * 0.4);
  const right = width - 16;
  const axis = axisOver(
    summary.flatMap((entry) => [entry.mean - entry.std, entry.mean + entry.std]),
    (right - names) / 80,
  );
  let top = 8;
  const groups = datasets.map((dataset) => {
    const entries = summary.filter((entry) => entry.dataset === dataset);
    const group = { dataset, entries, top };
    top += (entries.length + 1) * lineHeight + 6;
    return group;
  });
  return (
    <figure ref={figure} className="plot plot-means">
      <svg
        width={width}
        height={top + 30}
        role="img"
        aria-label={plotText(metric, summary)}
      >
        <Grid axis={axis} left={names} right={right} bottom={top} />
        {groups.map((group) => (
          <g key={group.dataset}>
            <text className="means-dataset" x="0" y={group.top + 17}>
              {group.dataset}
            </text>
            {group.entries.map((entry, index) => {
              const y = group.top + (index + 1.5) * lineHeight;
              const place = (value: number) => axis.place(value, names, right);
              return (
                <g key={entry.method} className="means-entry">
                  <text x={names - 12} y={y + 4} textAnchor="end">
                    {shorten(entry.method, names / 7.5)}
                  </text>
                  <line
                    x1={place(entry.mean - entry.std)}
                    x2={place(entry.mean + entry.std)}
                    y1={y}
                    y2={y}
                  />
                  <circle cx={place(entry.mean)} cy={y} r="5" />
                </g>
              );
            })}
          </g>
        ))}
      </svg>
    </figure>
  );
}

interface GridProps {
  readonly axis: Axis;
  readonly left: number;
  readonly right: number;
  readonly bottom: number;
}

function Grid({ axis, left: start, right, bottom }: GridProps) {
  return (
    <g className="plot-axes">
      {axis.ticks.map(({ value, label }) => {
        const left = axis.place(value, start, right);
        return (
          <g key={label}>
            <line x1={left} x2={left} y1="8" y2={bottom} />
            <text x={left} y={bottom + 20} textAnchor="middle">
              {label}
            </text>
          </g>
        );
      })}
    </g>
  );
}

function plotText(metric: string, summary: Summary): string {
  const values = summary.map(
    (entry) => `${entry.method} on ${entry.dataset} ${formatLoose(entry.mean)}`,
  );
  return `Means of ${metric}: ${values.join('; ')}`;
}

function shorten(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

/** Digits after the point that suit all numbers of a table, so that they align. */
function sharedDigits(summary: Summary): number {
  const place = (value: number) => -Math.floor(Math.log10(value));
  const largest = Math.max(...summary.map((entry) => Math.abs(entry.mean))) || 1;
  const deviations = summary.map((entry) => entry.std).filter((std) => std > 0);
  const coarse = 2 + place(largest);
  const fine = deviations.length > 0 ? place(Math.min(...deviations)) : 0;
  return Math.min(6, Math.max(0, coarse, Math.min(fine, coarse + 2)));
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)];
}
