/** The user's data directory: `ASSAY_HOME`, or `.assay` in the home directory. */

import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { AssayError } from '../error.ts';

export function homeDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const given = environment.ASSAY_HOME?.trim();
  return given ? resolve(given) : join(homedir(), '.assay');
}

/** Makes the directory when it is missing. Throws `environment` when it cannot be written. */
export async function prepareHome(home: string): Promise<void> {
  try {
    await makeDirectory(home);
    await access(home, constants.W_OK | constants.X_OK);
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new AssayError(
      'environment',
      `cannot write to ${home} (${reason}): set ASSAY_HOME to a directory that you may write to`,
      { cause: error },
    );
  }
}

/**
 * Makes a directory and the missing ones above it. Not by `recursive`: Node.js then tries for
 * ever where a file system answers `ENOENT` below a directory that exists, as `/proc` does.
 */
async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    const parent = dirname(path);
    const parentIsMissing = await access(parent).then(
      () => false,
      () => true,
    );
    if (code !== 'ENOENT' || parent === path || !parentIsMissing) throw error;
    await makeDirectory(parent);
    await makeDirectory(path);
  }
}
