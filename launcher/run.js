/** Runs the command line under a given Node.js and ends as it ends. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from './runtime.js';

export function runAssay(node, args) {
  const child = spawn(
    node,
    ['--disable-warning=ExperimentalWarning', join(root, 'bin', 'assay.js'), ...args],
    { stdio: 'inherit' },
  );
  // A terminal sends Ctrl-C to the whole process group: the child has it already.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('exit', (code, signal) => process.exit(signal ? 130 : (code ?? 1)));
}
