/** What Assay can run: the tasks, methods and claims of all rooms, by plain imports. */

import { AssayError } from './error.ts';
import type { Claim } from './nouns/claim.ts';
import type { AnyMethod } from './nouns/method.ts';
import type { AnyTask } from './nouns/task.ts';
import * as quantize from './quantize/index.ts';

/** What a room's `index.ts` exports. */
export interface RoomModule {
  readonly task: AnyTask;
  readonly methods: readonly AnyMethod[];
  readonly claims: readonly Claim[];
}

export interface Registry {
  readonly tasks: readonly AnyTask[];
  readonly methods: readonly AnyMethod[];
  readonly claims: readonly Claim[];
  /** Throws `not-found` with the known names. */
  task(name: string): AnyTask;
  /** Throws `not-found` with the known names; with a task, only its methods count. */
  method(name: string, task?: string): AnyMethod;
  /** Methods of a task, in the order of its room. */
  methodsOf(task: string): readonly AnyMethod[];
  /** Methods that implement a paper. */
  methodsOfPaper(slug: string): readonly AnyMethod[];
  /** Throws `not-found` when the paper has no claim that runs. */
  claim(paper: string): Claim;
}

/**
 * Gathers rooms into one registry. A name that occurs twice, or a method of an unknown task,
 * is a mistake in the source and throws.
 */
export function createRegistry(rooms: readonly RoomModule[]): Registry {
  const tasks = rooms.map((room) => room.task);
  const methods = rooms.flatMap((room) => room.methods);
  const claims = rooms.flatMap((room) => room.claims);
  requireUnique('task', tasks, (task) => task.name);
  requireUnique('method', methods, (method) => `${method.task}/${method.name}`);
  requireUnique('claim', claims, (claim) => claim.paper);
  for (const method of methods) {
    if (!tasks.some((task) => task.name === method.task)) {
      throw new Error(`method ${method.name} names an unknown task ${method.task}`);
    }
  }
  const methodsOf = (task: string) => methods.filter((method) => method.task === task);
  return {
    tasks,
    methods,
    claims,
    methodsOf,
    methodsOfPaper: (slug) => methods.filter((method) => method.paper === slug),
    task: (name) =>
      tasks.find((task) => task.name === name) ??
      missing(
        'task',
        name,
        tasks.map((task) => task.name),
      ),
    method: (name, task) => {
      const among = task === undefined ? methods : methodsOf(task);
      return (
        among.find((method) => method.name === name) ??
        missing(
          'method',
          name,
          among.map((method) => method.name),
        )
      );
    },
    claim: (paper) =>
      claims.find((claim) => claim.paper === paper) ??
      missing(
        'claim of paper',
        paper,
        claims.map((claim) => claim.paper),
      ),
  };
}

/** Everything that ships. */
export const registry: Registry = createRegistry([quantize]);

function missing(kind: string, name: string, known: readonly string[]): never {
  const choices = known.length > 0 ? `known: ${known.join(', ')}` : 'there is none';
  throw new AssayError('not-found', `no ${kind} "${name}" here; ${choices}`);
}

function requireUnique<T>(
  kind: string,
  items: readonly T[],
  nameOf: (item: T) => string,
): void {
  const seen = new Set<string>();
  for (const item of items) {
    const name = nameOf(item);
    if (seen.has(name)) throw new Error(`${kind} ${name} is registered twice`);
    seen.add(name);
  }
}
