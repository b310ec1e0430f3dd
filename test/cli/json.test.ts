/** The documents that programs read: one on stdout, logs on stderr, shapes as documented. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assay, temporaryDirectory } from './run.ts';

const quick = ['--calibration-samples', '2', '--sequence-length', '32'];

async function json(args: readonly string[], directory = temporaryDirectory()) {
  const outcome = await assay([...args, '--json'], directory);
  expect(outcome.code, outcome.stderr).toBe(0);
  expect(outcome.stdout.trim().split('\n')).toHaveLength(1);
  return JSON.parse(outcome.stdout);
}

describe('--json', () => {
  it('gives a comparison with its rows, a plot and a recommendation', async () => {
    const directory = temporaryDirectory();
    const result = await json(
      [
        'compare',
        'quantize',
        'nano',
        ...['--methods', 'round-to-nearest', '--eval-tokens', '600'],
        ...['--max-size', '3', '--plot', 'plot.svg', ...quick],
      ],
      directory,
    );
    expect(Object.keys(result).sort()).toEqual([
      'inputs',
      'recommendation',
      'rows',
      'task',
    ]);
    expect(result.rows.map(({ method }: { method: string }) => method)).toEqual([
      'reference',
      'round-to-nearest',
    ]);
    for (const row of result.rows) {
      expect(row.metrics.perplexity).toBeGreaterThan(1);
      expect(row).toMatchObject({ paper: null, options: {} });
      expect(typeof row.seconds).toBe('number');
      expect(typeof row.peakBytes).toBe('number');
    }
    expect(result.recommendation.method).toBe('round-to-nearest');
    expect(result.recommendation.reason).toContain('within 3 MB');
    expect(readFileSync(join(directory, 'plot.svg'), 'utf8')).toMatch(/^<svg/);
  });

  it('gives logits that agree with those of a quantized copy at 8 bits', async () => {
    const directory = temporaryDirectory();
    const args = ['quantize', 'nano', '--method', 'round-to-nearest', '--bits', '8'];
    const artifact = await json([...args, '-o', 'out', ...quick], directory);
    expect(artifact.recipe).toMatchObject({ method: 'round-to-nearest', seed: 0 });
    for (const { name } of artifact.files) {
      expect(existsSync(join(directory, 'out', name)), name).toBe(true);
    }
    const ids = ['--ids', '1,15,7'];
    const { logits } = await json(['logits', 'nano', ...ids], directory);
    const quantized = await json(['logits', 'out', ...ids], directory);
    expect(logits).toHaveLength(1024);
    const gap = logits.map((value: number, index: number) =>
      Math.abs(value - quantized.logits[index]),
    );
    expect(Math.max(...gap)).toBeLessThan(0.5);
    expect(Math.max(...gap)).toBeGreaterThan(0);
  });

  it('gives a perplexity', async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'text.md'), 'The quick brown fox. '.repeat(20));
    const result = await json(['perplexity', 'nano', 'text.md'], directory);
    expect(result.perplexity).toBeCloseTo(Math.exp(result.natsPerToken), 6);
    expect(result.bitsPerByte).toBeGreaterThan(0);
  });

  it('gives a perplexity that sees the quantized activations of an artifact', async () => {
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'text.md'), 'The quick brown fox. '.repeat(20));
    const quantize = ['quantize', 'nano', '--method', 'integer-quantization', ...quick];
    const four = ['--activation-bits', '4'];
    await json([...quantize, ...four, '-o', 'four'], directory);
    await json([...quantize, '--mode', 'weight-only', '-o', 'weights'], directory);
    const rounded = await json(['perplexity', 'four', 'text.md'], directory);
    const weights = await json(['perplexity', 'weights', 'text.md'], directory);
    expect(rounded.tokensScored).toBe(weights.tokensScored);
    expect(rounded.window).toBe(weights.window);
    expect(rounded.perplexity).toBeGreaterThan(1.05 * weights.perplexity);
  }, 60_000);

  it('gives the catalog and the methods', async () => {
    const papers = await json(['papers']);
    expect(papers).toHaveLength(73);
    expect(new Set(papers.map(({ status }: { status: string }) => status))).toEqual(
      new Set(['runs', 'spec']),
    );
    const methods = await json(['methods']);
    for (const method of methods) {
      expect(Object.keys(method).sort()).toEqual(
        ['name', 'options', 'paper', 'status', 'summary', 'task', 'title'].sort(),
      );
    }
  });
});

describe('an error', () => {
  it.each([
    [['quantize', 'nano'], '--output: expected a directory, got nothing'],
    [['quantize', './nowhere', '-o', 'out'], 'nowhere'],
    [['quantize', 'nano', '--bits', '9', '-o', 'out'], '--bits: expected'],
    [['quantize', 'nano', '--method', 'magic', '-o', 'out'], 'no method "magic"'],
    [['compare', 'paint'], 'TASK: expected one of quantize'],
    [['reproduce', 'limit'], 'no claim of paper "limit"'],
    [['logits', 'nano', '--ids', '1,99999'], '--ids: expected token ids from 0 to 1023'],
    [['perplexity', 'nano', 'missing.txt'], 'missing.txt'],
    [['train', 'lm', 'missing.txt', '-o', 'out'], 'missing.txt'],
    [['jobs'], 'the app is not running'],
  ])('of %j is one line that says what to do', async (args, message) => {
    const directory = temporaryDirectory();
    const { code, stdout, stderr } = await assay(args, directory);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toContain(message);
    expect(existsSync(join(directory, 'out'))).toBe(false);
  });
});
