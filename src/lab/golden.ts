/** Golden files: inputs with expected outputs from official code, and how ours are held to them. */

import { z } from 'zod';
import { InvalidFileError } from '../error.ts';

const toleranceSchema = z.union([
  z.number(),
  z.object({
    rel: z.number().default(0),
    abs: z.number().default(0),
    /** Share of the numbers that may be off, where a search can tip either way. */
    allow_mismatch_fraction: z.number().default(0),
  }),
]);

const goldenSchema = z.object({
  slug: z.string(),
  source: z.string(),
  cases: z.array(
    z.object({
      name: z.string(),
      inputs: z.unknown(),
      expected: z.unknown(),
      tolerance: toleranceSchema.default(0),
    }),
  ),
});

export type GoldenFile = z.output<typeof goldenSchema>;
export type GoldenCase = GoldenFile['cases'][number];

/** What a paper's `golden.ts` exports: the output of a case for its inputs. */
export type GoldenAdapter = (name: string, inputs: unknown) => Promise<unknown>;

/** Reads the text of a golden file. Throws `InvalidFileError` naming the field. */
export function parseGolden(text: string, file: string): GoldenFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InvalidFileError(file, 'content', 'JSON', 'something else');
  }
  const parsed = goldenSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new InvalidFileError(file, issue.path.join('.'), 'a golden file', issue.message);
}

/**
 * What is wrong with an output, as sentences; empty when it passes. A number passes when
 * `|got - expected| <= abs + rel * |expected|`; anything else must be equal.
 */
export function goldenMismatches(output: unknown, { expected, tolerance }: GoldenCase) {
  const bounds =
    typeof tolerance === 'number'
      ? { rel: 0, abs: tolerance, allow_mismatch_fraction: 0 }
      : tolerance;
  const got = new Map(leaves(output));
  const wanted = [...leaves(expected)];
  const wrong = wanted.flatMap(([place, want]) => {
    const value = got.get(place);
    if (matches(value, want, bounds.abs, bounds.rel)) return [];
    return [`${place || 'output'} is ${String(value)}, expected ${String(want)}`];
  });
  const wantedPlaces = new Set(wanted.map(([place]) => place));
  const extra = [...got.keys()].filter((place) => !wantedPlaces.has(place));
  if (extra.length > 0) return [`unexpected ${extra.slice(0, 3).join(', ')}`, ...wrong];
  return wrong.length <= bounds.allow_mismatch_fraction * wanted.length ? [] : wrong;
}

function matches(value: unknown, want: unknown, abs: number, rel: number): boolean {
  if (typeof want !== 'number' || typeof value !== 'number') return value === want;
  return Object.is(value, want) || Math.abs(value - want) <= abs + rel * Math.abs(want);
}

/** Leaves of a value with their places, typed arrays read as plain ones. */
function* leaves(value: unknown, place = ''): Generator<[string, unknown]> {
  if (value === null || typeof value !== 'object') {
    yield [place, value];
    return;
  }
  for (const [key, child] of Object.entries(value)) {
    yield* leaves(child, place === '' ? key : `${place}.${key}`);
  }
}
