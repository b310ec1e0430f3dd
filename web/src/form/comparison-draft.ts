/** The comparison form as data: what is filled in, and the request it makes. */

import type { ComparisonRequest, MethodInfo, Options, TaskInfo } from '../api/types.ts';
import { type Draft, type Field, readDraft, readFields, startDraft } from './fields.ts';

/** A rival in the form. */
export interface Entry {
  /** Tells entries of the same method apart while they are edited. */
  readonly key: number;
  readonly method: MethodInfo;
  readonly fields: readonly Field[];
  readonly draft: Draft;
}

export interface ComparisonDraft {
  readonly task: TaskInfo;
  readonly inputs: Draft;
  readonly budget: Draft;
  /** Null to leave the rivals to the task. */
  readonly entries: readonly Entry[] | null;
  readonly seed: string;
}

/** What is wrong, by place: `inputs.model`, `budget.maxSize`, `3.bits`, `seed`. */
export type DraftErrors = Readonly<Record<string, string>>;

export const seedField: Field = {
  name: 'seed',
  label: 'Seed',
  kind: 'integer',
  choices: [],
  minimum: 0,
  maximum: null,
  above: false,
  default: 0,
  optional: true,
  description: 'Same seed, same result.',
};

/** A form at its defaults, or as it was for an earlier request. */
export function startComparison(
  task: TaskInfo,
  methods: readonly MethodInfo[],
  earlier?: ComparisonRequest,
): ComparisonDraft {
  const entries = earlier?.candidates?.flatMap(({ method, options }, key) => {
    const info = methods.find((candidate) => candidate.name === method);
    return info ? [startEntry(info, key, options)] : [];
  });
  return {
    task,
    inputs: startDraft(readFields(task.inputs), earlier?.inputs),
    budget: startDraft(readFields(task.budget), earlier?.budget),
    entries: entries && entries.length > 0 ? entries : null,
    seed: earlier?.seed === undefined ? '' : String(earlier.seed),
  };
}

export function startEntry(method: MethodInfo, key: number, options?: Options): Entry {
  const fields = readFields(method.options);
  return { key, method, fields, draft: startDraft(fields, options) };
}

/** Each method of the task once, with its default options. */
export function defaultEntries(task: TaskInfo, methods: readonly MethodInfo[]): Entry[] {
  return task.candidates.flatMap((candidate, key) => {
    const method = methods.find((known) => known.name === candidate.method);
    return method ? [startEntry(method, key, candidate.options)] : [];
  });
}

/** The request that a draft makes, and what is wrong with it. */
export function readComparison(draft: ComparisonDraft): {
  readonly request: ComparisonRequest;
  readonly errors: DraftErrors;
} {
  const inputs = readDraft(readFields(draft.task.inputs), draft.inputs);
  const budget = readDraft(readFields(draft.task.budget), draft.budget);
  const seed = readDraft([seedField], { seed: draft.seed });
  const entries = draft.entries?.map((entry) => ({
    entry,
    reading: readDraft(entry.fields, entry.draft),
  }));
  const errors = {
    ...prefixed('inputs', inputs.errors),
    ...prefixed('budget', budget.errors),
    ...seed.errors,
    ...Object.assign(
      {},
      ...(entries ?? []).map(({ entry, reading }) =>
        prefixed(String(entry.key), reading.errors),
      ),
    ),
    ...(entries?.length === 0 ? { entries: 'Add at least one method.' } : {}),
  };
  const request: ComparisonRequest = {
    task: draft.task.name,
    inputs: inputs.values,
    ...(Object.keys(budget.values).length > 0 ? { budget: budget.values } : {}),
    ...(entries
      ? {
          candidates: entries.map(({ entry, reading }) => ({
            method: entry.method.name,
            options: reading.values,
          })),
        }
      : {}),
    ...(typeof seed.values.seed === 'number' ? { seed: seed.values.seed } : {}),
  };
  return { request, errors };
}

/** Where a message of the server belongs, if it named a field: `inputs.model`, `candidates.0.options.bits`. */
export function placeOfArgument(draft: ComparisonDraft, argument: string): string | null {
  const name = argument.split(/[.[\]]+/).filter((part) => part !== '');
  const last = name.at(-1) ?? '';
  if (name[0] === 'candidates') {
    const entry = draft.entries?.[Number(name[1])];
    return entry && last in entry.draft ? `${entry.key}.${last}` : null;
  }
  if (last === 'seed') return 'seed';
  if (name[0] !== 'budget' && last in draft.inputs) return `inputs.${last}`;
  return last in draft.budget ? `budget.${last}` : null;
}

/** The errors below a prefix, without it. */
export function errorsOf(errors: DraftErrors, prefix: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(errors)
      .filter(([place]) => place.startsWith(`${prefix}.`))
      .map(([place, message]) => [place.slice(prefix.length + 1), message]),
  );
}

function prefixed(prefix: string, errors: Record<string, string>): DraftErrors {
  return Object.fromEntries(
    Object.entries(errors).map(([name, message]) => [`${prefix}.${name}`, message]),
  );
}
