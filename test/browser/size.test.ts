/** What a reader must load before the first page shows. */

import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';

const dist = new URL('../../web/dist/', import.meta.url);

it('loads less than 150 kB of compressed scripts at first', () => {
  const html = readFileSync(new URL('index.html', dist), 'utf8');
  const scripts = [...html.matchAll(/(?:src|href)="\/([^"]+\.js)"/g)].map(
    ([, path]) => path!,
  );
  expect(scripts.length).toBeGreaterThan(1);
  const bytes = scripts
    .map((path) => gzipSync(readFileSync(new URL(path, dist))).length)
    .reduce((sum, length) => sum + length, 0);
  expect(bytes).toBeLessThan(150_000);
});

it('has no script or style inside the page, which the security policy would block', () => {
  const html = readFileSync(new URL('index.html', dist), 'utf8');
  expect(html).not.toMatch(/<style|style=|<script(?![^>]*\bsrc=)/);
});
