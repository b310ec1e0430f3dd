/** Rivals on two metrics, with the line of those that no other beats on both. */

import { useId, useRef, useState } from 'react';
import type { ComparisonRow, Metric, Recommendation } from '../api/types.ts';
import type { Axis } from './axis.ts';
import {
  frontierPath,
  type PlotArea,
  type PlotPoint,
  plotLabels,
  plotPoints,
} from './plot-points.ts';
import { rowKey } from './rows.ts';
import { useWidth } from './use-width.ts';

interface Props {
  readonly rows: readonly ComparisonRow[];
  readonly x: Metric;
  readonly y: Metric;
  readonly recommendation: Recommendation | null;
}

export function ParetoPlot({ rows, x, y, recommendation }: Props) {
  const id = useId();
  const [active, setActive] = useState<string | null>(null);
  const figure = useRef<HTMLElement>(null);
  const width = useWidth(figure, 720);
  const height = width < 520 ? 320 : 400;
  const area: PlotArea = { left: 52, right: width - 12, top: 34, bottom: height - 58 };
  const { points, xAxis, yAxis } = plotPoints(rows, x, y, area);
  if (points.length < 2) {
    return (
      <figure ref={figure} className="plot plot-empty">
        <p>The plot appears once two rivals are measured.</p>
      </figure>
    );
  }
  const chosen = recommendation ? rowKey(recommendation) : null;
  const best = points.filter((point) => point.kind !== 'other');
  const current = points.find((point) => point.key === active);

  return (
    <figure ref={figure} className="plot">
      {/* biome-ignore lint/a11y/useSemanticElements: a drawing cannot be a fieldset */}
      <svg
        width={width}
        height={height}
        role="group"
        aria-labelledby={`${id}-title ${id}-note`}
      >
        <title id={`${id}-title`}>{`${y.title} against ${x.title}`}</title>
        <desc id={`${id}-note`}>
          {`${points.length} points, among them ${best.map((point) => point.name).join('; ')}.`}
        </desc>
        <Axes area={area} x={x} y={y} xAxis={xAxis} yAxis={yAxis} />
        <path className="plot-frontier" d={frontierPath(rows, points, x, y)} />
        {plotLabels(points, area).map((label) => (
          <text
            key={label.key}
            className="point-label"
            x={label.left}
            y={label.top}
            textAnchor={label.anchor}
          >
            {label.text}
          </text>
        ))}
        {points.map((point) => (
          <Point
            key={point.key}
            point={point}
            recommended={point.key === chosen}
            onActive={(isActive) => setActive(isActive ? point.key : null)}
          />
        ))}
        {current ? <PointNote point={current} room={width} /> : null}
      </svg>
      <figcaption className="plot-key">
        <span className="key key-best">no other is better on both</span>
        <span className="key key-other">beaten</span>
        <span className="key key-reference">untouched</span>
        {chosen ? <span className="key key-chosen">recommended</span> : null}
      </figcaption>
    </figure>
  );
}

interface PointProps {
  readonly point: PlotPoint;
  readonly recommended: boolean;
  readonly onActive: (active: boolean) => void;
}

function Point({ point, recommended, onActive }: PointProps) {
  const name = `${point.name}: ${point.values}${recommended ? ', recommended' : ''}`;
  return (
    // biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: its note shows on focus, as on hover
    <g
      role="img"
      tabIndex={0}
      aria-label={name}
      className={`point point-${point.kind}`}
      transform={`translate(${point.left} ${point.top})`}
      onFocus={() => onActive(true)}
      onBlur={() => onActive(false)}
      onPointerEnter={() => onActive(true)}
      onPointerLeave={() => onActive(false)}
    >
      <circle className="point-reach" r="14" />
      {recommended ? <circle className="point-ring" r="9.5" /> : null}
      <circle className="point-dot" r="5" />
    </g>
  );
}

interface AxesProps {
  readonly area: PlotArea;
  readonly x: Metric;
  readonly y: Metric;
  readonly xAxis: Axis;
  readonly yAxis: Axis;
}

function Axes({ area, x, y, xAxis, yAxis }: AxesProps) {
  return (
    <g className="plot-axes">
      {yAxis.ticks.map(({ value, label }) => {
        const top = yAxis.place(value, area.bottom, area.top);
        return (
          <g key={label}>
            <line x1={area.left} x2={area.right} y1={top} y2={top} />
            <text x={area.left - 10} y={top + 4} textAnchor="end">
              {label}
            </text>
          </g>
        );
      })}
      {xAxis.ticks.map(({ value, label }) => (
        <text
          key={label}
          x={xAxis.place(value, area.left, area.right)}
          y={area.bottom + 22}
          textAnchor="middle"
        >
          {label}
        </text>
      ))}
      <line
        className="plot-base"
        x1={area.left}
        x2={area.right}
        y1={area.bottom}
        y2={area.bottom}
      />
      <text className="plot-name" x={area.right} y={area.bottom + 46} textAnchor="end">
        {nameOf(x)} →
      </text>
      <text className="plot-name" x="0" y="12">
        ↑ {nameOf(y)}
      </text>
    </g>
  );
}

/** A box beside a point, kept inside the drawing. */
function PointNote({
  point,
  room,
}: {
  readonly point: PlotPoint;
  readonly room: number;
}) {
  const lines = [point.name, point.values];
  const width = Math.max(...lines.map((line) => line.length)) * 7.3 + 24;
  const height = lines.length * 20 + 14;
  const left = Math.min(Math.max(point.left - width / 2, 4), room - width - 4);
  const above = point.top - height - 16;
  const top = above < 0 ? point.top + 16 : above;
  return (
    <g className="plot-note">
      <rect x={left} y={top} width={width} height={height} rx="4" />
      {lines.map((line, index) => (
        <text key={line} x={left + 12} y={top + 22 + index * 20}>
          {line}
        </text>
      ))}
    </g>
  );
}

function nameOf(metric: Metric): string {
  return metric.unit ? `${metric.title}, ${metric.unit}` : metric.title;
}
