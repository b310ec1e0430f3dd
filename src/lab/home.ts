/** The user's data directory: `ASSAY_HOME`, or `.assay` in the home directory. */

import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { AssayError } from '../error.ts';

export function homeDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const given = environment.ASSAY_HOME?.trim();
  return given ? resolve(given) : join(homedir(), '.assay');
}

/** Makes the directory when it is missing. Throws `environment` when it cannot be written. */
export async function prepareHome(home: string): Promise<void> {
  try {
    await mkdir(home, { recursive: true });
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
