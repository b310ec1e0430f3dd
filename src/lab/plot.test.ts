/** Tests of the Pareto front, the plots and the tables. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { registry } from '../../test/rooms/guess.ts';
import type { ComparisonRow } from '../nouns/task.ts';
import { formatBytes } from './estimate.ts';
import { rowLabels } from './labels.ts';
import { paretoPoints } from './pareto.ts';
import { comparisonSvg, comparisonText } from './plot.ts';
import { axisTicks, scaleFor } from './scale.ts';
import { claimTable, comparisonTable, textTable } from './table.ts';

const task = registry.task('guess');

function row(
  method: string,
  size: number,
  error: number,
  rest: Partial<ComparisonRow> = {},
): ComparisonRow {
  return {
    method,
    options: {},
    paper: null,
    metrics: { size, error },
    seconds: 1,
    peakBytes: 2_000_000,
    ...rest,
  };
}

const rows = [
  row('reference', 10, 0),
  row('small & <quick>', 2, 0.5),
  row('bad', 9, 0.9),
  row('lost', 0, 0, { metrics: {}, error: 'it broke' }),
];

describe('the Pareto front', () => {
  const axes = [
    { name: 'size', better: 'lower' },
    { name: 'error', better: 'higher' },
  ] as const;

  it('agrees with the definition on random points', () => {
    const point = fc.tuple(
      fc.integer({ min: 0, max: 6 }),
      fc.integer({ min: 0, max: 6 }),
    );
    fc.assert(
      fc.property(fc.array(point, { maxLength: 12 }), (pairs) => {
        const points = paretoPoints(
          pairs.map(([size, error]) => row('m', size, error)),
          ...axes,
        );
        for (const own of points) {
          const beaten = pairs.some(
            ([size, error]) =>
              (size < own.x && error >= own.y) || (size <= own.x && error > own.y),
          );
          expect(own.front).toBe(!beaten);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('leaves failed rows out and keeps equal points together', () => {
    const points = paretoPoints([...rows, row('twin', 2, 0.5)], axes[0], {
      name: 'error',
      better: 'lower',
    });
    expect(points.map(({ index, front }) => [index, front])).toEqual([
      [0, true],
      [1, true],
      [2, false],
      [4, true],
    ]);
  });
});

describe('the plot', () => {
  it('is accessible SVG without anything from outside', () => {
    const svg = comparisonSvg(task, rows);
    expect(svg).toMatch(/^<svg [^>]*role="img"/);
    expect(svg).toContain('<title id="plot-title">Guess a text: Error against Size');
    expect(svg).toContain('small &amp; &lt;quick&gt;');
    expect(svg).toContain('prefers-color-scheme:dark');
    expect(svg.match(/<circle/g)).toHaveLength(3);
    expect(svg.match(/class="best"/g)).toHaveLength(2);
    expect(svg.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|<script/);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('says so when nothing could be measured, and draws a single point', () => {
    expect(comparisonSvg(task, [])).toContain('No rival could be measured');
    expect(comparisonText(task, [])).toBe('no rival could be measured');
    expect(comparisonSvg(task, rows.slice(0, 1))).not.toMatch(/NaN|Infinity/);
  });

  it('has a text form that marks the front', () => {
    const text = comparisonText(task, rows, 40, 8);
    expect(text).toContain('a* reference (10, 0.00)');
    expect(text).toContain('c  bad (9, 0.90)');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(60);
  });

  it('has round ticks inside its axis', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1 }),
        (values) => {
          const scale = scaleFor(values, [0, 100]);
          for (const value of values) {
            expect(scale.place(value)).toBeGreaterThanOrEqual(0);
            expect(scale.place(value)).toBeLessThanOrEqual(100);
          }
          for (const value of axisTicks(scale, 5)) {
            expect(value).toBeGreaterThanOrEqual(scale.low - 1e-9 * Math.abs(scale.low));
            expect(value).toBeLessThanOrEqual(scale.high + 1e-9 * Math.abs(scale.high));
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('labels', () => {
  it('name the options in which rows of one method differ', () => {
    const several = [4, 8].map((bits) =>
      row('awq', 1, 1, { options: { bits, fast: true } }),
    );
    expect(rowLabels([row('rtn', 1, 1, { options: { bits: 3 } }), ...several])).toEqual([
      'rtn',
      'awq bits=4',
      'awq bits=8',
    ]);
  });
});

describe('tables', () => {
  it('align their columns', () => {
    const table = textTable(
      [
        { title: 'name', align: 'left' },
        { title: 'n', align: 'right' },
      ],
      [
        ['a', '1'],
        ['long name', '100'],
      ],
    );
    expect(table.split('\n')).toEqual([
      'name         n',
      '---------  ---',
      'a            1',
      'long name  100',
    ]);
  });

  it('show comparisons with failures below and claims with their verdict', () => {
    const table = comparisonTable(task, {
      task: 'guess',
      inputs: {},
      rows,
      recommendation: null,
    });
    expect(table).toContain('Size (B)');
    expect(table).toContain('0.50');
    expect(table.split('\n').at(-1)).toBe('lost: it broke');
    const claim = claimTable({
      paper: 'p',
      statement: 's',
      holds: false,
      rows: [],
      gates: [{ statement: 'g', holds: false, measured: '3' }],
      notes: [],
      summary: [{ method: 'm', dataset: 'd', metric: 'loss', mean: 1.23456789, std: 0 }],
      seconds: 1,
    });
    expect(claim).toContain('1.2346');
    expect(claim).toContain('fails: g (3)');
    expect(claim).toContain('p: the claim does not hold');
  });

  it('write bytes for people', () => {
    expect([0, 999, 1000, 12_345_678, 1.5e9].map(formatBytes)).toEqual([
      '0 B',
      '999 B',
      '1.0 kB',
      '12 MB',
      '1.5 GB',
    ]);
  });
});
