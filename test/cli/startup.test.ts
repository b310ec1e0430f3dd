/** Starting the command line loads only what the command needs, seen by listing loaded modules. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const command = join(import.meta.dirname, '../../bin/assay.js');
let directory: string;
let recorder: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'assay-startup-'));
  recorder = join(directory, 'recorder.mjs');
  writeFileSync(
    recorder,
    `import { registerHooks } from 'node:module';
     import { writeFileSync } from 'node:fs';
     const loaded = [];
     registerHooks({ load(url, context, next) { loaded.push(url); return next(url, context); } });
     process.on('exit', () => writeFileSync(process.env.LOADED_MODULES, JSON.stringify(loaded)));`,
  );
});
afterAll(() => rmSync(directory, { recursive: true }));

function run(args: readonly string[]) {
  const list = join(directory, 'loaded.json');
  const result = spawnSync(
    process.execPath,
    ['--import', pathToFileURL(recorder).href, command, ...args],
    {
      encoding: 'utf8',
      env: { ...process.env, LOADED_MODULES: list, ASSAY_HOME: join(directory, 'home') },
    },
  );
  const loaded = JSON.parse(
    spawnSync('cat', [list], { encoding: 'utf8' }).stdout || '[]',
  ) as string[];
  return { ...result, loaded: loaded.filter((url) => url.startsWith('file:')) };
}

function packagesOf(loaded: readonly string[]): string[] {
  const names = loaded.flatMap(
    (url) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? [],
  );
  return [...new Set(names)];
}

describe('starting', () => {
  it('shows the help from a handful of files and no package', () => {
    const { status, stdout, loaded } = run(['--help']);
    expect(status).toBe(0);
    expect(stdout).toContain('assay compare TASK');
    expect(packagesOf(loaded)).toEqual([]);
    expect(loaded.length).toBeLessThanOrEqual(8);
  });

  it('lists the papers without a database, a server or an engine', () => {
    const { status, stdout, loaded } = run(['papers', '--json']);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toHaveLength(73);
    for (const name of ['@electric-sql/pglite', 'pg-boss', 'pg', 'hono', 'react']) {
      expect(packagesOf(loaded)).not.toContain(name);
    }
  });

  it('quantizes without a database or a server', () => {
    const { status, stdout, loaded } = run(['quantize', '--help']);
    expect(status).toBe(0);
    expect(stdout).toContain('--method');
    for (const name of ['@electric-sql/pglite', 'pg-boss', 'pg', 'hono', 'react']) {
      expect(packagesOf(loaded)).not.toContain(name);
    }
  });

  it('says what there is for a command there is not, with exit code 2', () => {
    const { status, stderr } = run(['frobnicate']);
    expect(status).toBe(2);
    expect(stderr).toContain('no command "frobnicate"');
    expect(stderr).toContain('reproduce');
  });
});
