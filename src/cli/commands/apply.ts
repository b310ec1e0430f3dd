/** `assay quantize MODEL --method NAME -o OUT`: one method of a task, applied and written. */

import { existsSync } from 'node:fs';
import { z } from 'zod';
import { InvalidInputError } from '../../error.ts';
import { type Artifact, applyMethod } from '../../lab/apply.ts';
import { openCheckpoint } from '../../lab/checkpoint.ts';
import { assayVersion } from '../../lab/environment.ts';
import { estimateRun, formatBytes } from '../../lab/estimate.ts';
import { fingerprint } from '../../lab/fingerprint.ts';
import { homeDirectory } from '../../lab/home.ts';
import { hashInputs } from '../../lab/input-hashes.ts';
import type { AnyMethod } from '../../nouns/method.ts';
import { type RunContext, runContext } from '../../nouns/run.ts';
import type { AnyTask } from '../../nouns/task.ts';
import { registry } from '../../registry.ts';
import type { CommandSurroundings } from '../command.ts';
import { parseCommand } from '../parse.ts';
import { runFlags } from '../run-flags.ts';
import { requireTask, taskInputs } from '../task-inputs.ts';
import { duration, type Terminal } from '../terminal.ts';

export async function applyCommand(
  taskName: string,
  args: readonly string[],
  { terminal, signal }: CommandSurroundings,
): Promise<number> {
  const task = requireTask(taskName);
  const applyFlags = flagsOf(task);
  const method = registry.method(methodName(task, args), task.name);
  const values = parseCommand(
    {
      usage: `assay ${task.name} ${taskInputs(task).positional.toUpperCase()} --method ${method.name} -o OUT`,
      summary: task.summary,
      positionals: [taskInputs(task).positional],
      required: 0,
      sections: [
        { title: 'Input', schema: task.inputs },
        { title: 'Output', schema: applyFlags },
        { title: `Options of ${method.name}: ${method.title}`, schema: method.options },
        { title: 'Run', schema: runFlags },
      ],
    },
    args,
    terminal,
  );
  if (!values) return 0;
  const { output, format, overwrite, dryRun } = values.of(applyFlags);
  const run = values.of(runFlags);
  const inputs = taskInputs(task).read(values);
  const options = values.of(method.options);
  const context = runContext({
    seed: run.seed,
    threads: run.threads,
    signal,
    progress: (update) => terminal.progress(update),
  });
  if (dryRun)
    return estimateOnly(task, method, inputs, options, context, run.json, terminal);
  checkOutput(output, overwrite);
  const checkpoint = openCheckpoint(
    homeDirectory(),
    fingerprint({
      task: task.name,
      method: method.name,
      inputs,
      hashes: await hashInputs(inputs, signal),
      options,
      seed: run.seed,
      version: assayVersion(),
    }),
  );
  const artifact = await applyMethod({
    registry,
    task: task.name,
    method: method.name,
    inputs,
    options,
    formats: format.length > 0 ? format : undefined,
    directory: output,
    context: { ...context, checkpoint },
  });
  await checkpoint.clear();
  if (run.json) terminal.print(JSON.stringify({ ...artifact, directory: output }));
  else terminal.print(describe(artifact, output));
  return 0;
}

function flagsOf(task: AnyTask) {
  const names = task.formats.map((format) => format.name);
  const formats = task.formats
    .map((format) => `${format.name}: ${format.description}`)
    .join('; ');
  return z.object({
    method: z
      .string()
      .default(registry.methodsOf(task.name)[0]!.name)
      .describe(
        `One of ${registry
          .methodsOf(task.name)
          .map(({ name }) => name)
          .join(', ')}`,
      ),
    output: z.string().default('').describe('Directory to write (-o)'),
    format: z
      .array(z.enum(names as [string, ...string[]]))
      .default([])
      .describe(`Formats to write, of ${formats}`),
    overwrite: z.boolean().default(false).describe('Replace the directory if it exists'),
    dryRun: z
      .boolean()
      .default(false)
      .describe('Only tell what the run would need: seconds and memory'),
  });
}

/** The method decides which flags exist, so it is looked for before they are parsed. */
function methodName(task: AnyTask, args: readonly string[]): string {
  const index = args.findIndex((argument) => /^--method(=|$)/.test(argument));
  const fallback = registry.methodsOf(task.name)[0]!.name;
  if (index < 0) return fallback;
  return args[index]!.split('=')[1] ?? args[index + 1] ?? fallback;
}

function checkOutput(output: string, overwrite: boolean): void {
  if (output === '') throw new InvalidInputError('--output', 'a directory', 'nothing');
  if (existsSync(output) && !overwrite) {
    const expected = 'a directory that does not exist yet, or --overwrite';
    throw new InvalidInputError('--output', expected, `${output}, which exists`);
  }
}

async function estimateOnly(
  task: AnyTask,
  method: AnyMethod,
  inputs: Record<string, unknown>,
  options: Record<string, unknown>,
  context: RunContext,
  json: boolean,
  terminal: Terminal,
): Promise<number> {
  const input: unknown = await task.load(inputs, context);
  const estimate = estimateRun(method, input, options);
  terminal.print(
    json
      ? JSON.stringify(estimate)
      : `about ${duration(estimate.seconds)} and ${formatBytes(estimate.bytes)} of memory`,
  );
  return 0;
}

function describe(artifact: Artifact, directory: string): string {
  const width = Math.max(...artifact.files.map(({ name }) => name.length));
  const files = artifact.files.map(
    ({ name, bytes }) => `  ${name.padEnd(width)}  ${formatBytes(bytes).padStart(8)}`,
  );
  const total = artifact.files.reduce((sum, { bytes }) => sum + bytes, 0);
  return [
    `${artifact.method} took ${duration(artifact.seconds)}; wrote ${directory} (${formatBytes(total)})`,
    ...files,
  ].join('\n');
}
