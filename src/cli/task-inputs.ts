/** How the input of a task is given on the command line: its first field may stand without a flag. */

import { InvalidInputError } from '../error.ts';
import { optionFields } from '../nouns/options.ts';
import type { AnyTask } from '../nouns/task.ts';
import { registry } from '../registry.ts';
import type { CommandValues } from './parse.ts';

export interface TaskInputs {
  /** Name of the field that is given as a positional. */
  readonly positional: string;
  /** The inputs from positionals and flags together. */
  read(values: CommandValues): Record<string, unknown>;
}

export function taskInputs(task: AnyTask): TaskInputs {
  const positional = optionFields(task.inputs)[0]!.name;
  return {
    positional,
    read(values) {
      const flags = values.of(task.inputs);
      const [first] = values.positionals;
      if (first !== undefined && values.given(positional)) {
        throw new InvalidInputError(
          `--${positional}`,
          'either a flag or a place',
          'both',
        );
      }
      return first === undefined ? flags : { ...flags, [positional]: first };
    },
  };
}

/** The task of that name. Throws with the names there are. */
export function requireTask(name: string): AnyTask {
  const task = registry.tasks.find((candidate) => candidate.name === name);
  if (task) return task;
  const names = registry.tasks.map((candidate) => candidate.name).join(', ');
  throw new InvalidInputError('TASK', `one of ${names}`, `"${name}"`);
}
