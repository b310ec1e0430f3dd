/** `assay methods`: what runs, and the reference of one method. */

import { z } from 'zod';
import type { AnyMethod } from '../../nouns/method.ts';
import { optionsJsonSchema } from '../../nouns/options.ts';
import { registry } from '../../registry.ts';
import type { CommandSurroundings } from '../command.ts';
import { helpText } from '../help.ts';
import { parseCommand } from '../parse.ts';
import { outputFlags } from '../run-flags.ts';

const flags = z.object({
  task: z.string().default('').describe('Only methods of this task'),
  ...outputFlags.shape,
});

export async function methodsCommand(
  args: readonly string[],
  { terminal }: CommandSurroundings,
): Promise<number> {
  const values = parseCommand(
    {
      usage: 'assay methods [NAME]',
      summary: 'Lists the methods that run; with a name, describes that one.',
      positionals: ['NAME'],
      required: 0,
      sections: [{ title: 'Options', schema: flags }],
    },
    args,
    terminal,
  );
  if (!values) return 0;
  const { task, json } = values.of(flags);
  const [name] = values.positionals;
  const methods = name === undefined ? registry.methods : [registry.method(name)];
  const chosen = task === '' ? methods : methods.filter((each) => each.task === task);
  if (json) terminal.print(JSON.stringify(chosen.map(describeMethod)));
  else if (name !== undefined) terminal.print(reference(methods[0]!));
  else terminal.print(chosen.map(line).join('\n'));
  return 0;
}

function describeMethod(method: AnyMethod) {
  return {
    name: method.name,
    task: method.task,
    paper: method.paper ?? null,
    status: 'runs',
    title: method.title,
    summary: method.summary,
    options: optionsJsonSchema(method.options),
  };
}

function line(method: AnyMethod): string {
  const origin = method.paper === undefined ? 'baseline' : 'paper';
  return `${method.name.padEnd(24)}  ${method.task.padEnd(10)}  ${origin.padEnd(8)}  ${method.title}`;
}

function reference(method: AnyMethod): string {
  return helpText(
    `assay ${method.task} INPUT --method ${method.name} -o OUT`,
    `${method.title}\n\n${method.summary}`,
    [{ title: 'Options', schema: method.options }],
  );
}
