/** Rivals in rows, metrics in columns; sortable, the best of each column marked. */

import { Link } from '@tanstack/react-router';
import { Fragment, type ReactNode, useState } from 'react';
import type { ComparisonRow, Metric, Recommendation } from '../api/types.ts';
import { formatBytes, formatMetric, formatSeconds } from './format.ts';
import { Icon } from './icon.tsx';
import { bestValues, isReference, rowKey, shortOptions, tellingOptions } from './rows.ts';

interface Props {
  readonly rows: readonly ComparisonRow[];
  readonly metrics: readonly Metric[];
  readonly recommendation: Recommendation | null;
  readonly caption: string;
  /** What opens beneath a row; without it rows do not open. */
  readonly detail?: (row: ComparisonRow) => ReactNode;
  /** Fewer columns, for narrow places. */
  readonly compact?: boolean;
}

interface Order {
  readonly metric: string;
  readonly descending: boolean;
}

export function ComparisonTable(props: Props) {
  const { metrics, recommendation, caption, detail, compact = false } = props;
  const [order, setOrder] = useState<Order | null>(null);
  const [opened, setOpened] = useState<string | null>(null);
  const rows = sorted(props.rows, order);
  const best = bestValues(props.rows, metrics);
  const telling = tellingOptions(props.rows);
  const chosen = recommendation ? rowKey(recommendation) : null;
  // Some tasks measure the time themselves.
  const showTime = !compact && metrics.every((metric) => metric.unit !== 's');
  const width =
    metrics.length + 1 + (showTime ? 1 : 0) + (compact ? 0 : 1) + (detail ? 1 : 0);

  const sortBy = (metric: string) =>
    setOrder((last) => {
      if (last?.metric !== metric) return { metric, descending: false };
      return last.descending ? null : { metric, descending: true };
    });

  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard
    <section className="table-scroll" tabIndex={0} aria-label={caption}>
      <table className={compact ? 'table table-compact' : 'table'}>
        <caption className="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            <th scope="col">Method</th>
            {metrics.map((metric) => (
              <MetricHead
                key={metric.name}
                metric={metric}
                order={order?.metric === metric.name ? order : null}
                onSort={compact ? undefined : () => sortBy(metric.name)}
              />
            ))}
            {showTime ? (
              <th scope="col" className="number">
                Time
              </th>
            ) : null}
            {compact ? null : (
              <th scope="col" className="number">
                Memory
              </th>
            )}
            {detail ? (
              <th scope="col">
                <span className="visually-hidden">Details</span>
              </th>
            ) : null}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const key = rowKey(row);
            const isOpen = opened === key;
            return (
              <Fragment key={key}>
                <tr className={rowClass(row, key === chosen, isOpen)}>
                  <th scope="row">
                    <MethodCell
                      row={row}
                      options={shortOptions(row, telling)}
                      recommended={key === chosen}
                      compact={compact}
                    />
                  </th>
                  {row.error ? (
                    <td className="row-error" colSpan={metrics.length} title={row.error}>
                      <Icon name="warning" /> {compact ? 'failed' : row.error}
                    </td>
                  ) : (
                    metrics.map((metric) => (
                      <td key={metric.name} className="number">
                        <Value row={row} metric={metric} best={best} />
                      </td>
                    ))
                  )}
                  {showTime ? (
                    <td className="number">{formatSeconds(row.seconds)}</td>
                  ) : null}
                  {compact ? null : (
                    <td className="number">
                      {row.peakBytes > 0 ? formatBytes(row.peakBytes) : '–'}
                    </td>
                  )}
                  {detail ? (
                    <td className="row-action">
                      {isReference(row) || row.error ? null : (
                        <button
                          type="button"
                          className="quiet-button"
                          aria-expanded={isOpen}
                          onClick={() => setOpened(isOpen ? null : key)}
                        >
                          {isOpen ? 'Close' : 'Use'}
                          <span className="visually-hidden">
                            {` ${row.method} ${shortOptions(row, telling)}`}
                          </span>
                        </button>
                      )}
                    </td>
                  ) : null}
                </tr>
                {detail && isOpen ? (
                  <tr className="row-detail">
                    <td colSpan={width}>{detail(row)}</td>
                  </tr>
                ) : null}
              </Fragment>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

interface HeadProps {
  readonly metric: Metric;
  readonly order: Order | null;
  readonly onSort: (() => void) | undefined;
}

function MetricHead({ metric, order, onSort }: HeadProps) {
  const direction = order?.descending ? 'descending' : 'ascending';
  // A short head is not worth a second line.
  const space = metric.title.length + metric.unit.length < 13 ? '\u00a0' : ' ';
  const name = (
    <>
      {metric.unit ? `${metric.title},${space}` : metric.title}
      {metric.unit ? <span className="unit">{metric.unit}</span> : null}
    </>
  );
  const hint = `${metric.description} ${metric.better === 'lower' ? 'Lower' : 'Higher'} is better.`;
  return (
    <th
      scope="col"
      className="number"
      title={hint}
      aria-sort={onSort ? (order ? direction : 'none') : undefined}
    >
      {onSort ? (
        <button type="button" className="sort" onClick={onSort}>
          {name}
          <span className="sort-mark" aria-hidden="true">
            {order ? (order.descending ? '↓' : '↑') : ''}
          </span>
        </button>
      ) : (
        name
      )}
    </th>
  );
}

function MethodCell({
  row,
  options,
  recommended,
  compact,
}: {
  readonly row: ComparisonRow;
  readonly options: string;
  readonly recommended: boolean;
  readonly compact: boolean;
}) {
  if (isReference(row)) return <span className="method-name">untouched</span>;
  return (
    <>
      <Link to="/methods/$name" params={{ name: row.method }} className="method-name">
        {row.method}
      </Link>{' '}
      {options ? <span className="method-options">{options}</span> : null}{' '}
      {recommended ? (
        <span className={compact ? 'visually-hidden' : 'tag tag-runs'}>Recommended</span>
      ) : null}
    </>
  );
}

function Value({
  row,
  metric,
  best,
}: {
  readonly row: ComparisonRow;
  readonly metric: Metric;
  readonly best: ReadonlyMap<string, number>;
}) {
  const value = row.metrics[metric.name];
  const text = formatMetric(value, metric);
  if (isReference(row) || value === undefined || value !== best.get(metric.name)) {
    return text;
  }
  return <strong title="Best of this column">{text}</strong>;
}

function rowClass(row: ComparisonRow, recommended: boolean, open: boolean): string {
  const names = [
    isReference(row) ? 'row-reference' : '',
    recommended ? 'row-recommended' : '',
    open ? 'row-open' : '',
  ];
  return names.filter((name) => name !== '').join(' ');
}

/** The reference stays first; failed rows go last when an order is chosen. */
function sorted(rows: readonly ComparisonRow[], order: Order | null): ComparisonRow[] {
  if (!order) return [...rows];
  const sign = order.descending ? -1 : 1;
  const rank = (row: ComparisonRow) => {
    if (isReference(row)) return Number.NEGATIVE_INFINITY;
    const value = row.metrics[order.metric];
    return value === undefined ? Number.POSITIVE_INFINITY : sign * value;
  };
  return [...rows].sort((a, b) => (rank(a) === rank(b) ? 0 : rank(a) - rank(b)));
}
