/** One call that turns the arguments of a command into checked values, or shows its help. */

import type { z } from 'zod';
import { InvalidInputError } from '../error.ts';
import type { OptionsSchema } from '../nouns/method.ts';
import { readArguments, readOptions } from './flags.ts';
import { type HelpSection, helpText } from './help.ts';
import type { Terminal } from './terminal.ts';

const shortFlags: Readonly<Record<string, string>> = { '-o': '--output', '-h': '--help' };

export interface CommandShape {
  readonly usage: string;
  readonly summary: string;
  /** Names of the positionals, for messages; a last one ending in `...` takes the rest. */
  readonly positionals: readonly string[];
  /** How many of them must be given. */
  readonly required: number;
  readonly sections: readonly HelpSection[];
}

export interface CommandValues {
  readonly positionals: readonly string[];
  /** The options of one of the sections' schemas. */
  of<Schema extends OptionsSchema>(schema: Schema): z.output<Schema>;
  /** Whether the user gave this field. */
  given(name: string): boolean;
}

/** Returns null after showing the help. Throws for anything that does not fit the shape. */
export function parseCommand(
  shape: CommandShape,
  args: readonly string[],
  terminal: Terminal,
): CommandValues | null {
  const expanded = args.map((argument) => shortFlags[argument] ?? argument);
  if (expanded.includes('--help')) {
    terminal.print(helpText(shape.usage, shape.summary, shape.sections));
    return null;
  }
  const schemas = shape.sections.map(({ schema }) => schema);
  const { positionals, values } = readArguments(expanded, schemas);
  const takesRest = shape.positionals.at(-1)?.endsWith('...') ?? false;
  const missing = shape.positionals[positionals.length];
  if (positionals.length < shape.required) {
    throw new InvalidInputError(missing ?? 'arguments', shape.usage, 'nothing');
  }
  if (!takesRest && positionals.length > shape.positionals.length) {
    const extra = positionals[shape.positionals.length]!;
    throw new InvalidInputError('arguments', shape.usage, `one too many: "${extra}"`);
  }
  return {
    positionals,
    of: (schema) => readOptions(schema, values),
    given: (name) => name in values,
  };
}
