/**
 * Options as data: what a Zod object says of its fields, read through its JSON Schema.
 * Command-line flags, web forms, messages and reference pages all derive from this.
 */

import { z } from 'zod';
import { InvalidInputError } from '../error.ts';
import type { OptionsSchema } from './method.ts';

/** One field of an options schema. */
export interface OptionField {
  /** Name in code: `groupSize`. */
  readonly name: string;
  /** Name on the command line: `group-size`. */
  readonly flag: string;
  readonly type: 'number' | 'integer' | 'string' | 'boolean' | 'list';
  readonly choices: readonly (string | number)[] | null;
  readonly minimum: number | null;
  /** Whether the minimum itself is not allowed. */
  readonly above: boolean;
  readonly maximum: number | null;
  readonly default: unknown;
  readonly required: boolean;
  readonly description: string;
}

interface FieldSchema {
  type?: string | string[];
  enum?: (string | number)[];
  const?: string | number;
  anyOf?: FieldSchema[];
  default?: unknown;
  description?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
}

/** JSON Schema of what a user may give. */
export function optionsJsonSchema(schema: OptionsSchema): Record<string, unknown> {
  return z.toJSONSchema(schema, { io: 'input' }) as Record<string, unknown>;
}

/** The fields of a schema in the order they were written. */
export function optionFields(schema: OptionsSchema): OptionField[] {
  const json = optionsJsonSchema(schema) as {
    properties?: Record<string, FieldSchema>;
    required?: string[];
  };
  return Object.entries(json.properties ?? {}).map(([name, field]) => {
    const inner = flatten(field);
    return {
      name,
      flag: flagName(name),
      type: fieldType(inner),
      choices: inner.enum ?? null,
      minimum: inner.minimum ?? inner.exclusiveMinimum ?? null,
      above: inner.minimum === undefined && inner.exclusiveMinimum !== undefined,
      maximum: inner.maximum ?? null,
      default: field.default ?? null,
      required: json.required?.includes(name) ?? false,
      description: field.description ?? '',
    };
  });
}

/** `groupSize` -> `group-size`. */
export function flagName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/**
 * Checks values against a schema and fills in defaults. Throws `InvalidInputError` that names
 * the first wrong field as `label(name)`, what was expected and what came.
 */
export function parseOptions<Schema extends OptionsSchema>(
  schema: Schema,
  values: Readonly<Record<string, unknown>>,
  label: (name: string) => string = (name) => name,
): z.output<Schema> {
  const known = optionFields(schema);
  const unknown = Object.keys(values).find(
    (name) => !known.some((field) => field.name === name),
  );
  if (unknown !== undefined) {
    const names = known.map((field) => label(field.name)).join(', ');
    throw new InvalidInputError(label(unknown), `one of ${names}`, 'an unknown option');
  }
  const parsed = schema.safeParse(values);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const name = String(issue.path[0] ?? 'options');
  const field = known.find((candidate) => candidate.name === name);
  throw new InvalidInputError(
    label(name),
    field ? describeExpectation(field, issue.message) : issue.message,
    name in values ? JSON.stringify(values[name]) : 'nothing',
  );
}

/** What a field accepts, in words: `one of 4, 8` or `an integer from 2 to 8`. */
export function describeExpectation(field: OptionField, fallback = ''): string {
  if (field.choices) return `one of ${field.choices.join(', ')}`;
  if (field.type === 'boolean') return 'true or false';
  if (field.type === 'number' || field.type === 'integer') {
    const noun = field.type === 'integer' ? 'an integer' : 'a number';
    const { minimum, maximum } = field;
    const isLow = minimum !== null && minimum > -1e15;
    const isHigh = maximum !== null && maximum < 1e15;
    if (isLow && isHigh && !field.above) return `${noun} from ${minimum} to ${maximum}`;
    const low = isLow ? ` ${field.above ? 'above' : 'of at least'} ${minimum}` : '';
    const high = isHigh ? `${isLow ? ' and' : ''} of at most ${maximum}` : '';
    return noun + low + high;
  }
  return fallback || (field.type === 'list' ? 'a list' : 'a text');
}

/** Reads through `nullable` and unions of literals. */
function flatten(field: FieldSchema): FieldSchema {
  if (field.const !== undefined) return { ...field, enum: [field.const] };
  if (!field.anyOf) return field;
  const parts = field.anyOf.filter((part) => part.type !== 'null');
  const literals = parts.flatMap(
    (part) => part.enum ?? (part.const === undefined ? [] : [part.const]),
  );
  return literals.length > 0 && literals.length >= parts.length
    ? { ...parts[0], enum: literals }
    : { ...(parts[0] ?? {}) };
}

function fieldType(field: FieldSchema): OptionField['type'] {
  const type = Array.isArray(field.type)
    ? field.type.find((candidate) => candidate !== 'null')
    : field.type;
  if (type === 'array') return 'list';
  if (type === 'integer' || type === 'number' || type === 'boolean') return type;
  return type === undefined && typeof field.enum?.[0] === 'number' ? 'number' : 'string';
}
