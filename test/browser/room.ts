/** A small room for the browser tests: rounds random numbers, quickly, and tests two claims. */

import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { InvalidInputError, throwIfCancelled } from '../../src/error.ts';
import { writeFileAtomic } from '../../src/format/atomic.ts';
import { sha256 } from '../../src/format/hash.ts';
import type { Claim, ClaimContext } from '../../src/nouns/claim.ts';
import { defineMethod } from '../../src/nouns/method.ts';
import type { RunContext } from '../../src/nouns/run.ts';
import { defineTask } from '../../src/nouns/task.ts';
import { createRegistry } from '../../src/registry.ts';

interface Input {
  readonly numbers: readonly number[];
}

interface Output {
  readonly rounded: readonly number[];
  readonly digits: number;
}

const task = defineTask({
  name: 'round',
  room: 'quantize',
  title: 'Round numbers',
  summary: 'Writes numbers with fewer digits and measures what is lost.',
  inputs: z.object({
    source: z.string().default('sine').describe('Where the numbers come from.'),
    count: z.int().min(2).max(1000).default(50).describe('How many numbers.'),
  }),
  budget: z.object({
    maxError: z.number().min(0).nullable().default(null).describe('Largest mean error.'),
  }),
  metrics: [
    {
      name: 'digits',
      title: 'Digits',
      unit: '',
      better: 'lower',
      digits: 0,
      description: 'Digits after the point that are kept.',
    },
    {
      name: 'error',
      title: 'Error',
      unit: '',
      better: 'lower',
      digits: 4,
      description: 'Mean absolute difference to the numbers.',
    },
  ],
  plot: { x: 'digits', y: 'error' },
  formats: [
    { name: 'text', title: 'Text', description: 'A number a line.' },
    { name: 'json', title: 'JSON', description: 'An array.' },
  ],
  async load({ source, count }): Promise<Input> {
    if (source !== 'sine') throw new InvalidInputError('source', '"sine"', source);
    return { numbers: Array.from({ length: count }, (_, index) => Math.sin(index)) };
  },
  candidates: () => [
    { method: 'cut', options: { digits: 1 } },
    { method: 'nearest', options: { digits: 1 } },
    { method: 'nearest', options: { digits: 2 } },
  ],
  async evaluate(input: Input, output: Output | undefined) {
    if (!output) return { digits: 16, error: 0 };
    const errors = input.numbers.map((x, index) => Math.abs(x - output.rounded[index]!));
    const error = errors.reduce((sum, value) => sum + value, 0) / errors.length;
    return { digits: output.digits, error };
  },
  recommend(rows, { maxError }) {
    const best = rows
      .filter((row) => row.method !== 'reference' && !row.error)
      .filter((row) => row.metrics.error! <= (maxError ?? 1))
      .sort((a, b) => a.metrics.error! - b.metrics.error!)[0];
    if (!best) return null;
    return { method: best.method, options: best.options, reason: 'The least error.' };
  },
  async write(output: Output, directory, recipe, formats) {
    await mkdir(directory, { recursive: true });
    const files: Record<string, string> = { 'recipe.json': JSON.stringify(recipe) };
    if (formats.includes('text')) files['numbers.txt'] = output.rounded.join('\n');
    if (formats.includes('json')) files['numbers.json'] = JSON.stringify(output.rounded);
    for (const [name, text] of Object.entries(files)) {
      await writeFileAtomic(join(directory, name), text);
    }
    return Object.keys(files);
  },
  async read(directory): Promise<Output> {
    const text = await readFile(join(directory, 'numbers.txt'), 'utf8');
    return { rounded: text.split('\n').map(Number), digits: 0 };
  },
  digest: (output: Output) => sha256(JSON.stringify(output)),
  sample: async () => ({ input: { numbers: [0.25, 0.5] }, spoiled: [] }),
});

const digits = z.int().min(0).max(8).default(1).describe('Digits after the point.');
const estimate = () => ({ seconds: 1, bytes: 1000 });

async function work(
  context: RunContext,
  steps: number,
  milliseconds: number,
): Promise<void> {
  for (let step = 0; step < steps; step++) {
    throwIfCancelled(context.signal);
    await wait(milliseconds);
    context.progress({ done: step + 1, total: steps, label: `step ${step + 1}` });
  }
}

const cut = defineMethod({
  name: 'cut',
  task: 'round',
  title: 'Cut off',
  summary: 'Drops the digits that are too many.',
  options: z.object({ digits }),
  estimate,
  async run(input: Input, options, context): Promise<Output> {
    await work(context, 4, 40);
    const scale = 10 ** options.digits;
    const rounded = input.numbers.map((x) => Math.trunc(x * scale) / scale);
    return { rounded, digits: options.digits };
  },
});

const nearest = defineMethod({
  name: 'nearest',
  task: 'round',
  paper: 'awq',
  title: 'To the nearest',
  summary: 'Takes the nearest number that has so many digits.',
  options: z.object({
    digits,
    half: z.enum(['even', 'away']).default('even').describe('Where a half goes.'),
    checked: z.boolean().default(true).describe('Look at the result once more.'),
  }),
  estimate,
  async run(input: Input, options, context): Promise<Output> {
    await work(context, 4, 60);
    const rounded = input.numbers.map((x) => Number(x.toFixed(options.digits)));
    return { rounded, digits: options.digits };
  },
});

const patient = defineMethod({
  name: 'patient',
  task: 'round',
  paper: 'integer-quantization',
  title: 'With patience',
  summary: 'Rounds like the others but takes half a minute.',
  options: z.object({ digits }),
  estimate,
  async run(input: Input, options, context): Promise<Output> {
    await work(context, 300, 100);
    return { rounded: input.numbers, digits: options.digits };
  },
});

/** A claim over three seeds that lasts about a second. */
function claim(paper: string, holds: boolean): Claim {
  return {
    paper,
    statement: 'Rounding to the nearest loses less than cutting off.',
    seeds: [0, 1, 2],
    seconds: 2,
    async run(context: ClaimContext) {
      await work(context, 20, 50);
      return {
        rows: context.seeds.flatMap((seed) =>
          ['cut', 'nearest'].map((method, place) => ({
            method,
            dataset: 'sine',
            seed,
            metric: 'error',
            value: 0.05 / (1 + place) + seed / 1000,
          })),
        ),
        gates: [
          {
            statement: 'The error of nearest is at most that of cut',
            holds: true,
            measured: '0.026 against 0.051',
          },
          { statement: 'It is below 0.03', holds, measured: holds ? '0.026' : '0.031' },
        ],
        notes: ['Numbers are the sines of 0 to 49.'],
      };
    },
  };
}

export const registry = createRegistry([
  {
    task,
    methods: [cut, nearest, patient],
    claims: [claim('awq', true), claim('integer-quantization', false)],
  },
]);
