/** Runs the command line as a user does, in a home of its own. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const command = join(import.meta.dirname, '../../bin/assay.js');

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A directory that is removed after the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'assay-cli-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Starts a command; `ended` resolves with what it printed. */
export function startAssay(
  args: readonly string[],
  directory: string,
): { child: ChildProcess; ended: Promise<Outcome> } {
  const child = spawn(process.execPath, [command, ...args], {
    cwd: directory,
    env: { ...process.env, ASSAY_HOME: join(directory, 'home'), NO_COLOR: '1' },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const ended = new Promise<Outcome>((resolve) => {
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { child, ended };
}

export function assay(args: readonly string[], directory: string): Promise<Outcome> {
  return startAssay(args, directory).ended;
}
