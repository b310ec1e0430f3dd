/** Every golden case of this room's papers, with the tolerance it states. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { golden as awq } from './awq/golden.ts';
import { golden as integerQuantization } from './integer-quantization/golden.ts';

interface Tolerance {
  readonly rel?: number;
  readonly abs?: number;
  readonly exact?: boolean;
  readonly allow_mismatch_fraction?: number;
}

interface Case {
  readonly name: string;
  readonly inputs: unknown;
  readonly expected: unknown;
  readonly tolerance: number | Tolerance;
}

/** Leaves of a value in a fixed order, with their places. */
function* leaves(value: unknown, place = ''): Generator<[string, unknown]> {
  if (value !== null && typeof value === 'object') {
    for (const key of Object.keys(value)) {
      yield* leaves((value as Record<string, unknown>)[key], `${place}.${key}`);
    }
  } else yield [place, value];
}

function mismatches(got: unknown, { expected, tolerance }: Case): string[] {
  const { rel = 0, abs = 0 } =
    typeof tolerance === 'number' ? { abs: tolerance } : tolerance;
  const received = new Map(leaves(got));
  const wanted = [...leaves(expected)];
  expect([...received.keys()].sort()).toEqual(wanted.map(([place]) => place).sort());
  const whole = /\.(q|zero|zeros|shift|out)(\.|$)/;
  const found: string[] = [];
  for (const [place, want] of wanted) {
    const value = received.get(place);
    const number = typeof want === 'number' && typeof value === 'number';
    const bound =
      number && !(whole.test(place) && Number.isInteger(want))
        ? abs + rel * Math.abs(want)
        : 0;
    const off = number ? Math.abs(value - want) : value === want ? 0 : Infinity;
    if (!(off <= bound)) found.push(`${place}: ${value} instead of ${want}`);
  }
  return found;
}

const papers = { awq, 'integer-quantization': integerQuantization };

for (const [slug, run] of Object.entries(papers)) {
  const file = new URL(`./${slug}/golden.json`, import.meta.url);
  const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: Case[] };
  describe(`golden cases of ${slug}`, () => {
    it.each(cases)('$name', async (item) => {
      const found = mismatches(await run(item.name, item.inputs), item);
      const allowed =
        typeof item.tolerance === 'number'
          ? 0
          : (item.tolerance.allow_mismatch_fraction ?? 0);
      const count = [...leaves(item.expected)].length;
      expect(found.length / count, found.slice(0, 5).join('; ')).toBeLessThanOrEqual(
        allowed,
      );
    });
  });
}
