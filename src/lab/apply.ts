/** Applies one method to the user's input and writes the artifact with its recipe. */

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidInputError } from '../error.ts';
import { sha256OfFile } from '../format/hash.ts';
import { parseOptions } from '../nouns/options.ts';
import type { RunContext } from '../nouns/run.ts';
import type { AnyTask, Recipe } from '../nouns/task.ts';
import type { Registry } from '../registry.ts';
import { assayVersion } from './environment.ts';
import { estimateRun } from './estimate.ts';
import { hashInputs } from './input-hashes.ts';
import { measure } from './measure.ts';

export interface ArtifactFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface Artifact {
  readonly task: string;
  readonly method: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly files: readonly ArtifactFile[];
  readonly recipe: Recipe;
  /** Of the method alone, without reading and writing. */
  readonly seconds: number;
  readonly peakBytes: number;
}

export interface ApplyRequest {
  readonly registry: Registry;
  readonly task: string;
  readonly method: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly options: Readonly<Record<string, unknown>>;
  /** Absent: the first format of the task. */
  readonly formats?: readonly string[] | undefined;
  /** Where the artifact goes. */
  readonly directory: string;
  readonly context: RunContext;
}

/**
 * Runs one method and writes its output with a recipe that makes it again.
 *
 * @throws InvalidInputError naming the option or format, AssayError `not-found` and
 * `cannot-fit`, CancelledError, whatever the task and the method throw.
 */
export async function applyMethod(request: ApplyRequest): Promise<Artifact> {
  const { registry, context, directory } = request;
  const task = registry.task(request.task);
  const method = registry.method(request.method, task.name);
  const inputs = parseOptions(task.inputs, request.inputs);
  const options = parseOptions(method.options, request.options);
  const formats = checkFormats(task, request.formats);
  const given = await hashInputs(inputs, context.signal);
  const input: unknown = await task.load(inputs, context);
  const hashes = { ...given, ...task.hashes?.(input) };
  estimateRun(method, input, options);
  const { value, seconds, peakBytes } = await measure(() =>
    method.run(input, options, context),
  );
  const recipe: Recipe = {
    task: task.name,
    method: method.name,
    options,
    inputs,
    hashes,
    seed: context.seed,
    version: assayVersion(),
  };
  const names = await task.write(value, directory, recipe, formats, context);
  const files: ArtifactFile[] = [];
  for (const name of names) {
    const path = join(directory, name);
    const { size } = await stat(path);
    files.push({ name, bytes: size, sha256: await sha256OfFile(path, context.signal) });
  }
  return {
    task: task.name,
    method: method.name,
    options,
    files,
    recipe,
    seconds,
    peakBytes,
  };
}

/** The formats to write: those asked for, or the first of the task. */
export function checkFormats(
  task: AnyTask,
  asked: readonly string[] | undefined,
): readonly string[] {
  const known = task.formats.map((format) => format.name);
  const wrong = asked?.find((name) => !known.includes(name));
  if (wrong !== undefined) {
    throw new InvalidInputError('formats', `among ${known.join(', ')}`, wrong);
  }
  return asked ?? known.slice(0, 1);
}
