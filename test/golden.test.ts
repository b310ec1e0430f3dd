/** Every golden file that lies beside a method, with the tolerance it states. */

import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type GoldenAdapter, goldenMismatches, parseGolden } from '../src/lab/golden.ts';

const root = join(import.meta.dirname, '..');

for (const file of globSync('src/*/*/golden.json', { cwd: root })) {
  const { slug, cases } = parseGolden(readFileSync(join(root, file), 'utf8'), file);
  describe(`golden cases of ${slug}`, () => {
    it.each(cases.map((item) => [item.name, item] as const))('%s', async (name, item) => {
      const adapterFile = pathToFileURL(join(root, dirname(file), 'golden.ts')).href;
      const { golden } = (await import(adapterFile)) as { golden: GoldenAdapter };
      expect(goldenMismatches(await golden(name, item.inputs), item)).toEqual([]);
    });
  });
}

describe('goldenMismatches', () => {
  const item = { name: 'x', inputs: {}, expected: { a: [1, 2.5] }, tolerance: 0.01 };

  it('passes what is within the tolerance', () => {
    expect(goldenMismatches({ a: [1, 2.505] }, item)).toEqual([]);
  });

  it('reports what is off, missing, of another kind or too much', () => {
    expect(goldenMismatches({ a: [1, 2.52] }, item)).toEqual([
      'a.1 is 2.52, expected 2.5',
    ]);
    expect(goldenMismatches({ a: [1] }, item)).toHaveLength(1);
    expect(goldenMismatches({ a: ['1', 2.5] }, item)).toHaveLength(1);
    expect(goldenMismatches({ a: [1, 2.5, 3] }, item)).toEqual(['unexpected a.2']);
    expect(goldenMismatches({ a: [Number.NaN, 2.5] }, item)).toHaveLength(1);
  });
});
