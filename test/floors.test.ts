/** The floors of the house: a file imports only from its own floor and the floors below. */

import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { rooms } from '../src/nouns/paper.ts';

const floors = [
  ['error.ts'],
  ['array'],
  ['format'],
  ['data'],
  ['nouns'],
  ['nn'],
  ['train'],
  [...rooms],
  ['registry.ts'],
  ['lab'],
  ['feed'],
  ['cli', 'server', 'index.ts'],
];

/** Folders each of which alone may import a package. */
const onlyImporter: Record<string, string> = {
  '@jax-js/jax': 'array',
  'onnxruntime-node': 'array',
  '@electric-sql/pglite': 'lab',
  'pg-boss': 'lab',
  pg: 'lab',
  hono: 'server',
};

const root = join(import.meta.dirname, '..');
const files = globSync('src/**/*.ts', { cwd: root }).filter(
  (file) => !file.endsWith('.test.ts'),
);

function partOf(file: string): string {
  return file.split('/')[1]!;
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  const pattern = /(?:from|import)\s*\(?\s*'([^']+)'/g;
  return [...text.matchAll(pattern)].map((match) => match[1]!);
}

function levelOf(part: string): number {
  return floors.findIndex((names) => names.includes(part));
}

describe('floors', () => {
  it('knows the floor of every part of src', () => {
    const parts = new Set(files.map(partOf));
    expect([...parts].filter((part) => levelOf(part) < 0)).toEqual([]);
  });

  it('lets no file import from a floor above it', () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter((target) => target.startsWith('.'))
        .map((target) => normalize(join(dirname(file), target)))
        .filter((target) => levelOf(partOf(target)) > levelOf(partOf(file)))
        .map((target) => `${file} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  it('lets no room import from inside another room', () => {
    const isRoom = (part: string) => (rooms as readonly string[]).includes(part);
    const wrong = files
      .filter((file) => isRoom(partOf(file)))
      .flatMap((file) =>
        importsOf(file)
          .filter((target) => target.startsWith('.'))
          .map((target) => normalize(join(dirname(file), target)))
          .filter((target) => isRoom(partOf(target)) && partOf(target) !== partOf(file))
          .filter((target) => !target.endsWith(`${partOf(target)}/index.ts`))
          .map((target) => `${file} imports ${target}`),
      );
    expect(wrong).toEqual([]);
  });

  it('keeps each engine behind its seam', () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter(
          (target) => target in onlyImporter && onlyImporter[target] !== partOf(file),
        )
        .map((target) => `${file} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });
});
