/** Checks a request before it becomes a job, so that the caller learns at once what is wrong. */

import { AssayError, InvalidInputError } from '../error.ts';
import { parseOptions } from '../nouns/options.ts';
import type { Registry } from '../registry.ts';
import { checkFormats } from './apply.ts';
import type { Work } from './job.ts';

/**
 * Throws `not-found` for an unknown task, method or claim and `InvalidInputError` that names the
 * wrong field. What only the input's content can tell is left to the run.
 */
export function checkWork(registry: Registry, work: Work): void {
  if (work.kind === 'claim') {
    registry.claim(work.request.paper);
    return;
  }
  const { request } = work;
  const task = registry.task(request.task);
  parseOptions(task.inputs, request.inputs, (name) => `inputs.${name}`);
  if (work.kind === 'artifact') {
    const method = registry.method(work.request.method, task.name);
    parseOptions(method.options, work.request.options, (name) => `options.${name}`);
    checkFormats(task, work.request.formats);
    return;
  }
  const { budget, candidates } = work.request;
  if (budget) parseOptions(task.budget, budget, (name) => `budget.${name}`);
  for (const [index, candidate] of (candidates ?? []).entries()) {
    const method = methodOf(registry, candidate.method, task.name, index);
    parseOptions(
      method.options,
      candidate.options,
      (name) => `candidates.${index}.options.${name}`,
    );
  }
}

function methodOf(registry: Registry, name: string, task: string, index: number) {
  try {
    return registry.method(name, task);
  } catch (error) {
    if (!(error instanceof AssayError)) throw error;
    const known = registry.methodsOf(task).map((method) => method.name);
    throw new InvalidInputError(
      `candidates.${index}.method`,
      `one of ${known.join(', ')}`,
      name,
    );
  }
}
