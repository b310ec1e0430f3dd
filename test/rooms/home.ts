/** Temporary data directories for tests. */

import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach } from 'vitest';
import { sha256 } from '../../src/format/hash.ts';
import { openEmbedded } from '../../src/lab/database/embedded.ts';

const made: string[] = [];
const shared: string[] = [];

/** A fresh directory that is deleted after the test. */
export async function temporaryHome(): Promise<string> {
  return makeIn(made);
}

/** A fresh directory that is deleted after the last test of the file. */
export async function sharedHome(): Promise<string> {
  return makeIn(shared);
}

/** Puts an empty database into a home, copied: making one takes seconds of computing. */
export async function addDatabase(home: string): Promise<string> {
  await cp(await templateDatabase(), join(home, 'database'), { recursive: true });
  return home;
}

async function templateDatabase(): Promise<string> {
  const source = new URL('../../src/lab/database/embedded-thread.ts', import.meta.url);
  const packages = new URL('../../package.json', import.meta.url);
  const version = sha256((await readFile(source, 'utf8')) + (await readFile(packages)));
  const template = join(tmpdir(), `assay-empty-database-${version.slice(0, 12)}`);
  if (existsSync(template)) return template;
  const fresh = await mkdtemp(join(tmpdir(), 'assay-lab-'));
  await (await openEmbedded(join(fresh, 'database'))).close();
  // Another test file may have been quicker.
  await rename(join(fresh, 'database'), template).catch(() => {});
  await rm(fresh, { recursive: true, force: true });
  return template;
}

async function makeIn(list: string[]): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'assay-lab-'));
  list.push(home);
  return home;
}

async function removeAll(list: string[]): Promise<void> {
  for (const home of list.splice(0)) {
    await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

afterEach(() => removeAll(made));
afterAll(() => removeAll(shared));
