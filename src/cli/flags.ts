/** Command-line flags from options schemas: `--group-size 128`, `--no-clip`, `--bits=4`. */

import { InvalidInputError } from '../error.ts';
import type { OptionsSchema } from '../nouns/method.ts';
import {
  flagName,
  type OptionField,
  optionFields,
  parseOptions,
} from '../nouns/options.ts';

export interface ParsedArguments {
  readonly positionals: readonly string[];
  /** Values by field name, as given: text, or true and false for switches. */
  readonly values: Readonly<Record<string, string | boolean>>;
}

/**
 * Splits arguments into positionals and flags of the given schemas. Throws for a flag that
 * none of them has, naming the nearest one that exists.
 */
export function readArguments(
  args: readonly string[],
  schemas: readonly OptionsSchema[],
): ParsedArguments {
  const fields = new Map(
    schemas.flatMap(optionFields).map((field) => [field.flag, field] as const),
  );
  const positionals: string[] = [];
  const values: Record<string, string | boolean> = {};
  for (let index = 0; index < args.length; index++) {
    const argument = args[index]!;
    if (!argument.startsWith('--') || argument === '--') {
      if (argument !== '--') positionals.push(argument);
      continue;
    }
    const [flag, inline] = splitFlag(argument.slice(2));
    const field = fields.get(flag);
    const negated = field ? undefined : fields.get(flag.replace(/^no-/, ''));
    if (negated?.type === 'boolean') {
      values[negated.name] = false;
    } else if (!field) {
      throw new InvalidInputError(
        `--${flag}`,
        suggestion(flag, fields),
        'an unknown flag',
      );
    } else if (field.type === 'boolean') {
      values[field.name] = inline === undefined ? true : inline !== 'false';
    } else {
      const value = inline ?? args[++index];
      if (value === undefined || (inline === undefined && /^--[a-z]/.test(value))) {
        throw new InvalidInputError(`--${flag}`, 'a value', 'nothing');
      }
      values[field.name] = value;
    }
  }
  return { positionals, values };
}

/** The part of the given values that belongs to a schema, converted and checked. */
export function readOptions<Schema extends OptionsSchema>(
  schema: Schema,
  values: Readonly<Record<string, string | boolean>>,
) {
  const mine: Record<string, unknown> = {};
  for (const field of optionFields(schema)) {
    if (field.name in values) mine[field.name] = convert(field, values[field.name]!);
  }
  return parseOptions(schema, mine, (name) => `--${flagName(name)}`);
}

/** Text of a flag as the type its schema wants; left as text when it cannot be read so. */
function convert(field: OptionField, value: string | boolean): unknown {
  if (typeof value === 'boolean') return value;
  if (field.type === 'list') return value.split(',').filter((part) => part !== '');
  if (field.type !== 'number' && field.type !== 'integer') return value;
  const number = Number(value);
  return value.trim() === '' || Number.isNaN(number) ? value : number;
}

function splitFlag(text: string): [flag: string, inline: string | undefined] {
  const equals = text.indexOf('=');
  return equals < 0 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)];
}

function suggestion(flag: string, fields: ReadonlyMap<string, OptionField>): string {
  const names = [...fields.keys()];
  const nearest = names
    .map((name) => ({ name, distance: editDistance(flag, name) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return nearest && nearest.distance <= 3
    ? `a flag of this command, perhaps --${nearest.name}`
    : `one of ${names.map((name) => `--${name}`).join(', ')}`;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, substitution));
    }
    row = next;
  }
  return row[b.length]!;
}
