/** Form fields from a JSON Schema of a flat object: what to show, and what a typed text means. */

import type { JsonSchema } from '../api/types.ts';

export interface Field {
  /** Name in the request: `groupSize`. */
  readonly name: string;
  /** Name for a person: `Group size`. */
  readonly label: string;
  readonly kind: 'number' | 'integer' | 'text' | 'boolean' | 'choice' | 'list';
  readonly choices: readonly (string | number)[];
  readonly minimum: number | null;
  readonly maximum: number | null;
  /** Whether `minimum` itself is not allowed. */
  readonly above: boolean;
  readonly default: unknown;
  /** Whether it may be left empty although it has no default. */
  readonly optional: boolean;
  readonly description: string;
}

/** What is typed in a form, by field name; switches hold true or false. */
export type Draft = Readonly<Record<string, string | boolean>>;

export interface Reading {
  /** What was filled in; an empty field is left to the server's default. */
  readonly values: Record<string, unknown>;
  /** What is wrong, by field name. */
  readonly errors: Record<string, string>;
}

interface Property {
  /** Name for a person, where the name in code does not read well. */
  title?: string;
  type?: string | string[];
  enum?: (string | number)[];
  const?: string | number;
  anyOf?: Property[];
  default?: unknown;
  description?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
}

/** The fields of a schema in the order they were written. */
export function readFields(schema: JsonSchema): Field[] {
  const properties = (schema.properties ?? {}) as Record<string, Property>;
  const required = (schema.required ?? []) as string[];
  return Object.entries(properties).map(([name, property]) => {
    const inner = withoutNull(property);
    const nullable = inner !== property || isNullable(property);
    return {
      name,
      label: property.title ?? labelOf(name),
      kind: kindOf(inner),
      choices: inner.enum ?? [],
      minimum: bound(inner.minimum ?? inner.exclusiveMinimum),
      maximum: bound(inner.maximum ?? inner.exclusiveMaximum),
      above: inner.minimum === undefined && inner.exclusiveMinimum !== undefined,
      default: property.default ?? null,
      optional: nullable || !required.includes(name),
      description: property.description ?? inner.description ?? '',
    };
  });
}

/** `groupSize` -> `Group size`. */
export function labelOf(name: string): string {
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** `groupSize` -> `group-size`, as the command line spells it. */
export function flagOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** What a form shows at first: the given values over the defaults. */
export function startDraft(
  fields: readonly Field[],
  values: Readonly<Record<string, unknown>> = {},
): Draft {
  return Object.fromEntries(
    fields.map((field) => [field.name, show(field, values[field.name] ?? field.default)]),
  );
}

function show(field: Field, value: unknown): string | boolean {
  if (field.kind === 'boolean') return value === true;
  if (value === null || value === undefined) return '';
  return Array.isArray(value) ? value.join('\n') : String(value);
}

/** Reads what was typed, and says what is wrong with it. */
export function readDraft(fields: readonly Field[], draft: Draft): Reading {
  const values: Record<string, unknown> = {};
  const errors: Record<string, string> = {};
  for (const field of fields) {
    const typed = draft[field.name] ?? '';
    if (typeof typed === 'boolean') {
      values[field.name] = typed;
    } else if (typed.trim() === '') {
      if (field.default === null && !field.optional) {
        errors[field.name] = `Needs ${expectation(field)}.`;
      }
    } else {
      const value = convert(field, typed.trim());
      if (value === undefined) errors[field.name] = `Needs ${expectation(field)}.`;
      else values[field.name] = value;
    }
  }
  return { values, errors };
}

/** What a field accepts, in words: `one of 4, 8` or `a whole number from 2 to 8`. */
export function expectation(field: Field): string {
  if (field.kind === 'choice') return `one of ${field.choices.join(', ')}`;
  if (field.kind === 'list') return 'at least one line';
  if (field.kind !== 'number' && field.kind !== 'integer') return 'a text';
  const noun = field.kind === 'integer' ? 'a whole number' : 'a number';
  const { minimum, maximum, above } = field;
  if (minimum !== null && maximum !== null) {
    return above
      ? `${noun} above ${inWords(minimum)} and at most ${inWords(maximum)}`
      : `${noun} from ${inWords(minimum)} to ${inWords(maximum)}`;
  }
  if (minimum !== null) {
    return `${noun} ${above ? 'above' : 'of at least'} ${inWords(minimum)}`;
  }
  return maximum === null ? noun : `${noun} of at most ${inWords(maximum)}`;
}

/** `65536` -> `65,536`. */
function inWords(value: number): string {
  return Math.abs(value) < 10_000 ? String(value) : value.toLocaleString('en-US');
}

function convert(field: Field, text: string): unknown {
  switch (field.kind) {
    case 'choice':
      return field.choices.find((choice) => String(choice) === text);
    case 'list':
      return text
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== '');
    case 'number':
    case 'integer':
      return convertNumber(field, readNumber(text));
    default:
      return text;
  }
}

/** A comma may group thousands, as the notes do, or stand for the point. */
function readNumber(text: string): number {
  return /^-?\d{1,3}(,\d{3})+$/.test(text)
    ? Number(text.replaceAll(',', ''))
    : Number(text.replace(',', '.'));
}

function convertNumber(field: Field, value: number): number | undefined {
  const { minimum, maximum } = field;
  if (!Number.isFinite(value)) return undefined;
  if (field.kind === 'integer' && !Number.isInteger(value)) return undefined;
  if (minimum !== null && (value < minimum || (field.above && value === minimum))) {
    return undefined;
  }
  return maximum !== null && value > maximum ? undefined : value;
}

/** Reads through `nullable` and unions of literals. */
function withoutNull(property: Property): Property {
  if (property.const !== undefined) return { ...property, enum: [property.const] };
  if (!property.anyOf) return property;
  const parts = property.anyOf.filter((part) => part.type !== 'null');
  const literals = parts.flatMap(
    (part) => part.enum ?? (part.const === undefined ? [] : [part.const]),
  );
  const isUnion = literals.length > 0 && literals.length >= parts.length;
  return isUnion ? { ...parts[0], enum: literals } : (parts[0] ?? property);
}

function isNullable(property: Property): boolean {
  return Array.isArray(property.type) && property.type.includes('null');
}

function kindOf(property: Property): Field['kind'] {
  if (property.enum) return 'choice';
  const type = Array.isArray(property.type)
    ? property.type.find((candidate) => candidate !== 'null')
    : property.type;
  if (type === 'array') return 'list';
  return type === 'integer' || type === 'number' || type === 'boolean' ? type : 'text';
}

/** A bound worth showing: the limits of safe integers are not. */
function bound(value: number | undefined): number | null {
  return value === undefined || Math.abs(value) > 1e15 ? null : value;
}
