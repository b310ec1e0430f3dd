/** Made-up but plausible outcomes: rows of a comparison and results of claims. */

import type { JobItem, StoredComparisonItem } from '../../../src/server/schema.ts';
import { methods } from './methods.ts';

type Row = JobItem['rows'][number];
type ClaimResult = {
  paper: string;
  statement: string;
  holds: boolean;
  rows: {
    method: string;
    dataset: string;
    seed: number;
    metric: string;
    value: number;
  }[];
  gates: { statement: string; holds: boolean; measured: string }[];
  notes: string[];
  summary: {
    method: string;
    dataset: string;
    metric: string;
    mean: number;
    std: number;
  }[];
  seconds: number;
};

export const reference: Row = row('reference', {}, [16, 5.04, 6.412, 0, 0, 812], 0.1);

export const defaultCandidates = [8, 4, 3].flatMap((bits) =>
  methods.map((method) => ({ method: method.name, options: { bits } })),
);

/** The row of a rival: fewer bits, smaller and worse; AWQ loses least. */
export function measure(method: string, options: Record<string, unknown>): Row {
  const known = methods.find((candidate) => candidate.name === method)!;
  const schema = known.options.properties as Record<string, { default: unknown }>;
  const defaults = Object.fromEntries(
    Object.entries(schema).map(([name, field]) => [name, field.default]),
  );
  const all = { ...defaults, ...options };
  const bits = Number(all.bits);
  const loss = { 'round-to-nearest': 1, 'integer-quantization': 1.35, awq: 0.42 }[
    method
  ]!;
  const rise = loss * 0.9 * 4 ** (4 - bits) * 4;
  const stored = bits + (bits < 8 ? 0.63 : 0.25);
  return row(
    method,
    all,
    [
      stored,
      5.04 * (stored / 16) + 0.31,
      6.412 * (1 + rise / 100),
      rise,
      0.04 * 2 ** (4 - bits) * (method === 'awq' ? 1.1 : 1),
      812 + (8 - bits) * 140,
    ],
    method === 'awq' ? 9.4 : 1.2,
  );
}

/** The same row as a failure. */
export function failure(row: Row, error: string): Row {
  return { ...row, metrics: {}, error };
}

function row(
  method: string,
  options: Record<string, unknown>,
  values: number[],
  seconds: number,
): Row {
  const names = [
    'bitsPerWeight',
    'size',
    'perplexity',
    'increase',
    'weightError',
    'speed',
  ];
  return {
    method,
    options,
    paper: methods.find((known) => known.name === method)?.paper ?? null,
    metrics: Object.fromEntries(names.map((name, index) => [name, values[index]!])),
    seconds,
    peakBytes: 48_000_000 + seconds * 1e6,
  };
}

/** The smallest rival whose perplexity rises by less than two percent. */
export function recommend(
  rows: readonly Row[],
): StoredComparisonItem['result']['recommendation'] {
  const best = rows
    .filter((row) => row.method !== 'reference' && !row.error)
    .filter((row) => row.metrics.increase! < 2)
    .sort((a, b) => a.metrics.size! - b.metrics.size!)[0];
  if (!best) return null;
  const { size, increase } = best.metrics;
  return {
    method: best.method,
    options: best.options,
    reason: `The smallest whose perplexity rises by less than 2 %: ${size!.toFixed(2)} MB instead of 5.04 MB for ${increase!.toFixed(2)} % more perplexity.`,
  };
}

/** A claim that holds for `awq` and fails one of its gates otherwise. */
export function claimResult(paper: string, seeds: readonly number[]): ClaimResult {
  const holds = paper === 'awq';
  const rivals = ['float', 'round-to-nearest', paper];
  const datasets = ['characters, 3 bits', 'characters, 2 bits'];
  const rows = rivals.flatMap((method, place) =>
    datasets.flatMap((dataset, hard) =>
      seeds.map((seed) => ({
        method,
        dataset,
        seed,
        metric: 'perplexity',
        value:
          5.91 + [0, 1.38, 0.52][place]! * (1 + 2 * hard) + 0.04 * Math.sin(seed + place),
      })),
    ),
  );
  return {
    paper,
    statement: 'At 3 bits the gap to the float model is at most 0.6 of that of rounding.',
    holds,
    rows,
    gates: [
      {
        statement:
          'The gap at 3 bits is at most 0.6 times that of round-to-nearest, each seed',
        holds: true,
        measured: '0.37, 0.39, 0.41',
      },
      {
        statement: 'Mean perplexity at 2 bits is lower than that of round-to-nearest',
        holds,
        measured: holds ? '7.47 against 10.05' : '10.21 against 10.05',
      },
    ],
    notes: ['Keeping 1 percent of the columns in 16 bits closes 71 percent of the gap.'],
    summary: rivals.flatMap((method) =>
      datasets.map((dataset) => {
        const values = rows
          .filter((row) => row.method === method && row.dataset === dataset)
          .map((row) => row.value);
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
        const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
        const std = values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1));
        return { method, dataset, metric: 'perplexity', mean, std };
      }),
    ),
    seconds: 171,
  };
}
