/** Temporary data directories for tests. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach } from 'vitest';

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
