/** Contract checks on what a method leaves behind: written, read back, measured, recommended. */

import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { AssayError } from '../../src/error.ts';
import { runContext } from '../../src/nouns/run.ts';
import type { ComparisonRow, Recipe } from '../../src/nouns/task.ts';
import { errorOf, type Subject } from './subject.ts';

export const artifactChecks: Record<string, (subject: Subject) => Promise<void>> = {
  'is read back as it was written': async (subject) => {
    await withArtifact(subject, async (directory) => {
      const again = await subject.task.read(directory);
      expect(subject.task.digest(again)).toBe(subject.digest);
    });
  },
  'writes the same bytes every time': async (subject) => {
    await withArtifact(subject, async (first) => {
      const expected = hashFiles(first);
      await withArtifact(subject, async (second) => {
        expect(hashFiles(second)).toEqual(expected);
      });
    });
  },
  'writes its recipe beside the artifact': async (subject) => {
    await withArtifact(subject, async (directory) => {
      const recipe = JSON.parse(readFileSync(join(directory, 'recipe.json'), 'utf8'));
      expect(recipe).toMatchObject({
        task: subject.task.name,
        method: subject.method.name,
        options: subject.options,
      });
    });
  },
  'writes a card that names the method': async (subject) => {
    await withArtifact(subject, async (directory) => {
      const card = readFileSync(join(directory, 'README.md'), 'utf8');
      expect(card).toContain(subject.method.name);
    });
  },
  'leaves no other file where it writes': async (subject) => {
    await withArtifact(subject, async (directory, names) => {
      expect(readdirSync(join(directory, '..'))).toEqual(['artifact']);
      expect([...names].sort()).toEqual(readdirSync(directory).sort());
    });
  },
  'writes nothing when cancelled': async (subject) => {
    const parent = mkdtempSync(join(tmpdir(), 'assay-contract-'));
    try {
      const { method, task, sample, options } = subject;
      const output = await method.run(sample.input, options, runContext());
      const context = runContext({ signal: AbortSignal.abort() });
      const error = await errorOf(() =>
        task.write(
          output,
          join(parent, 'artifact'),
          recipeOf(subject),
          [task.formats[0]!.name],
          context,
        ),
      );
      expect(error).toBeInstanceOf(AssayError);
      expect(readdirSync(parent)).toEqual([]);
    } finally {
      rmSync(parent, { recursive: true });
    }
  },
  'can be measured by every metric of its task': async ({
    method,
    task,
    sample,
    options,
  }) => {
    const output = await method.run(sample.input, options, runContext());
    const metrics = await task.evaluate(sample.input, output, runContext());
    for (const metric of task.metrics) {
      expect(metrics[metric.name], metric.name).toSatisfy(Number.isFinite);
    }
    expect(Object.keys(metrics).sort()).toEqual(
      task.metrics.map(({ name }) => name).sort(),
    );
  },
  'can be recommended, with a reason in words': async ({
    method,
    task,
    sample,
    options,
  }) => {
    const reference = await task.evaluate(sample.input, undefined, runContext());
    const output = await method.run(sample.input, options, runContext());
    const metrics = await task.evaluate(sample.input, output, runContext());
    const row = (name: string, measured: Record<string, number>): ComparisonRow => ({
      method: name,
      options: name === method.name ? options : {},
      paper: null,
      metrics: measured,
      seconds: 1,
      peakBytes: 1,
    });
    const rows = [row('reference', reference), row(method.name, metrics)];
    const recommendation = task.recommend(rows, task.budget.parse({}));
    if (recommendation === null) return;
    expect(rows.map((candidate) => candidate.method)).toContain(recommendation.method);
    expect(recommendation.reason).toMatch(/\w+ \w+.*\.$/);
  },
};

function recipeOf({ method, task, options }: Subject): Recipe {
  return {
    task: task.name,
    method: method.name,
    options,
    inputs: {},
    hashes: {},
    seed: 0,
    version: '0.0.0',
  };
}

async function withArtifact(
  subject: Subject,
  look: (directory: string, names: readonly string[]) => Promise<void>,
): Promise<void> {
  const parent = mkdtempSync(join(tmpdir(), 'assay-contract-'));
  try {
    const { method, task, sample, options } = subject;
    const output = await method.run(sample.input, options, runContext());
    const directory = join(parent, 'artifact');
    const formats = [task.formats[0]!.name];
    const names = await task.write(
      output,
      directory,
      recipeOf(subject),
      formats,
      runContext(),
    );
    await look(directory, names);
  } finally {
    rmSync(parent, { recursive: true });
  }
}

function hashFiles(directory: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(directory)
      .sort()
      .map((name) => {
        const bytes = readFileSync(join(directory, name));
        return [name, createHash('sha256').update(bytes).digest('hex')];
      }),
  );
}
