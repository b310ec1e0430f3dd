/** `assay compare TASK INPUT`: rivals side by side on the user's own input, and one recommended. */

import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { InvalidInputError } from '../../error.ts';
import { writeFileAtomic } from '../../format/atomic.ts';
import { execute } from '../../lab/execute.ts';
import { homeDirectory } from '../../lab/home.ts';
import { comparisonSvg, comparisonText } from '../../lab/plot.ts';
import { readResult, type StoredComparison } from '../../lab/results.ts';
import { comparisonTable } from '../../lab/table.ts';
import type { AnyTask, Candidate } from '../../nouns/task.ts';
import { registry } from '../../registry.ts';
import type { CommandSurroundings } from '../command.ts';
import { parseCommand } from '../parse.ts';
import { runFlags } from '../run-flags.ts';
import { requireTask, taskInputs } from '../task-inputs.ts';

const compareFlags = z.object({
  methods: z
    .array(z.string())
    .default([])
    .describe('Rivals with their default options; the usual rivals when left out'),
  plot: z.string().default('').describe('Write the plot to this SVG file'),
});

export async function compareCommand(
  args: readonly string[],
  { terminal, signal }: CommandSurroundings,
): Promise<number> {
  const [name = '', ...rest] = args;
  const names = registry.tasks.map((each) => each.name).join(', ');
  if (name === '' || name.startsWith('-')) {
    terminal.print(`Usage: assay compare TASK INPUT\n\nTasks that run: ${names}`);
    return name === '--help' || name === '-h' ? 0 : 2;
  }
  const task = requireTask(name);
  const values = parseCommand(
    {
      usage: `assay compare ${task.name} ${taskInputs(task).positional.toUpperCase()}`,
      summary: task.summary,
      positionals: [taskInputs(task).positional],
      required: 0,
      sections: [
        { title: 'Input', schema: task.inputs },
        { title: 'What you ask of the winner', schema: task.budget },
        { title: 'Comparison', schema: compareFlags },
        { title: 'Run', schema: runFlags },
      ],
    },
    rest,
    terminal,
  );
  if (!values) return 0;
  const { json, seed, threads } = values.of(runFlags);
  const { methods, plot } = values.of(compareFlags);
  const executed = await execute({
    registry,
    home: homeDirectory(),
    job: randomUUID(),
    work: {
      kind: 'comparison',
      request: {
        task: task.name,
        inputs: taskInputs(task).read(values),
        budget: values.of(task.budget),
        candidates: methods.length > 0 ? candidatesOf(task, methods) : undefined,
        seed,
      },
    },
    threads,
    signal,
    progress: (update) => terminal.progress(update),
    row: (row) => terminal.log(row.error ? `${row.method}: ${row.error}` : row.method),
  });
  const stored = (await readResult(homeDirectory(), executed.result)) as StoredComparison;
  const { result } = stored;
  if (plot !== '') await writeFileAtomic(plot, comparisonSvg(task, result.rows));
  if (json) {
    terminal.print(JSON.stringify(result));
    return 0;
  }
  terminal.print(comparisonTable(task, result));
  terminal.print(
    `\n${comparisonText(task, result.rows, Math.min(80, terminal.width - 24))}\n`,
  );
  terminal.print(
    result.recommendation
      ? `Recommended: ${result.recommendation.reason}`
      : 'Nothing measured here fits what you asked for; relax the budget and compare again.',
  );
  terminal.log(`stored as ${stored.id}`);
  return 0;
}

function candidatesOf(task: AnyTask, names: readonly string[]): Candidate[] {
  const known = registry.methodsOf(task.name).map((method) => method.name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new InvalidInputError('--methods', `among ${known.join(', ')}`, unknown);
  }
  return names.map((method) => ({ method, options: {} }));
}
