/** A throwaway room for tests of the lab: methods that are quick, slow, broken, greedy or stubborn. */

import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { InvalidInputError, throwIfCancelled } from '../../src/error.ts';
import { writeFileAtomic } from '../../src/format/atomic.ts';
import { sha256 } from '../../src/format/hash.ts';
import type { Claim } from '../../src/nouns/claim.ts';
import { type AnyMethod, defineMethod } from '../../src/nouns/method.ts';
import type { RunContext } from '../../src/nouns/run.ts';
import { defineTask } from '../../src/nouns/task.ts';
import { createRegistry } from '../../src/registry.ts';

interface Input {
  readonly text: string;
}

interface Output {
  readonly guess: string;
}

const task = defineTask({
  name: 'guess',
  room: 'predict',
  title: 'Guess a text',
  summary: 'Guesses the text it is given.',
  inputs: z.object({
    text: z.string().default('abc').describe('The text, or a file that holds it.'),
  }),
  budget: z.object({
    maxError: z.number().min(0).default(1).describe('Largest error allowed.'),
  }),
  metrics: [
    {
      name: 'error',
      title: 'Error',
      unit: '',
      better: 'lower',
      digits: 2,
      description: 'Share of letters that differ.',
    },
    {
      name: 'size',
      title: 'Size',
      unit: 'B',
      better: 'lower',
      digits: 0,
      description: 'Letters of the guess.',
    },
  ],
  plot: { x: 'size', y: 'error' },
  formats: [
    { name: 'text', title: 'Text', description: 'A plain file.' },
    { name: 'json', title: 'JSON', description: 'A JSON file.' },
  ],
  async load({ text }): Promise<Input> {
    const content = await readFile(text, 'utf8').catch(() => text);
    if (content === '') throw new InvalidInputError('text', 'some letters', 'none');
    return { text: content };
  },
  hashes: ({ text }: Input) => ({ text: sha256(text) }),
  candidates: () => [
    { method: 'copy', options: {} },
    { method: 'shift', options: { by: 1 } },
  ],
  async evaluate(input: Input, output: Output | undefined) {
    const guess = output?.guess ?? input.text;
    const wrong = [...input.text].filter((letter, index) => letter !== guess[index]);
    return { error: wrong.length / input.text.length, size: guess.length };
  },
  recommend(rows, { maxError }) {
    const fits = rows.find(
      (row) => row.method !== 'reference' && (row.metrics.error ?? 2) <= maxError,
    );
    if (!fits) return null;
    return { method: fits.method, options: fits.options, reason: 'first that fits' };
  },
  async write(output: Output, directory, recipe, formats) {
    await mkdir(directory, { recursive: true });
    const names: string[] = [];
    const put = async (name: string, content: string) => {
      await writeFileAtomic(join(directory, name), content);
      names.push(name);
    };
    if (formats.includes('text')) await put('guess.txt', output.guess);
    if (formats.includes('json')) await put('guess.json', JSON.stringify(output));
    await put('recipe.json', JSON.stringify(recipe));
    return names;
  },
  async read(directory): Promise<Output> {
    return { guess: await readFile(join(directory, 'guess.txt'), 'utf8') };
  },
  digest: (output: Output) => sha256(output.guess),
  sample: async () => ({ input: { text: 'abc' }, spoiled: [] }),
});

const none = z.object({});

function simple(
  name: string,
  run: (input: Input, context: RunContext) => Promise<Output>,
  bytes = 1000,
) {
  return defineMethod({
    name,
    task: 'guess',
    title: `The ${name} method`,
    summary: `Guesses by ${name}.`,
    options: none,
    estimate: () => ({ seconds: 1, bytes }),
    run: (input: Input, _options, context) => run(input, context),
  });
}

const shift = defineMethod({
  name: 'shift',
  task: 'guess',
  paper: 'shift-paper',
  title: 'Shifted letters',
  summary: 'Moves every letter by a number of places.',
  options: z.object({
    by: z.number().int().min(0).max(25).default(1).describe('Places to move.'),
  }),
  estimate: () => ({ seconds: 1, bytes: 1000 }),
  async run(input: Input, { by }): Promise<Output> {
    const codes = [...input.text].map((letter) => letter.charCodeAt(0) + by);
    return { guess: String.fromCharCode(...codes) };
  },
});

const slow = defineMethod({
  name: 'slow',
  task: 'guess',
  title: 'One step after another',
  summary: 'Takes its time and keeps each step in the checkpoint.',
  options: z.object({
    steps: z.number().int().min(1).default(5).describe('Steps to take.'),
    milliseconds: z.number().int().min(0).default(20).describe('Time of a step.'),
    log: z.string().default('').describe('File that gets a line per step really done.'),
  }),
  estimate: (_input, { steps, milliseconds }) => ({
    seconds: (steps * milliseconds) / 1000,
    bytes: 1000,
  }),
  async run(input: Input, { steps, milliseconds, log }, context): Promise<Output> {
    for (let step = 0; step < steps; step++) {
      throwIfCancelled(context.signal);
      if ((await context.checkpoint.read(`step-${step}`)) === undefined) {
        await wait(milliseconds);
        if (log !== '') {
          const { appendFile } = await import('node:fs/promises');
          await appendFile(log, `${step}\n`);
        }
        await context.checkpoint.write(`step-${step}`, new Uint8Array([step]));
      }
      context.progress({
        done: step + 1,
        total: steps,
        label: `step ${step + 1} of ${steps}`,
        metrics: { step },
      });
    }
    return { guess: input.text };
  },
});

export const methods: readonly AnyMethod[] = [
  simple('copy', async (input) => ({ guess: input.text })),
  shift,
  slow,
  simple('broken', async () => {
    throw new Error('this method always fails');
  }),
  simple('greedy', async (input) => ({ guess: input.text }), 1e18),
  simple('crash', async () => process.kill(process.pid, 'SIGKILL') as never),
  simple('stubborn', async () => {
    for (;;);
  }),
];

const claim: Claim = {
  paper: 'shift-paper',
  statement: 'Shifting letters makes an error.',
  seeds: [0, 1, 2],
  seconds: 1,
  async run({ seeds, full }) {
    const rows = seeds.map((seed) => ({
      method: 'shift',
      dataset: full ? 'long' : 'short',
      seed,
      metric: 'error',
      value: seed + 1,
    }));
    return {
      rows,
      gates: [{ statement: 'error above 0', holds: true, measured: 'from 1' }],
      notes: ['nothing else was measured'],
    };
  },
};

export const guess = { task, methods, claims: [claim] };

export const registry = createRegistry([guess]);
