#!/usr/bin/env node
/** The `assay` command: finds a new enough Node.js and hands over to the command line. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runAssay } from '../launcher/run.js';
import { findNode, requiredMajor, root } from '../launcher/runtime.js';

const args = process.argv.slice(2);

if (args[0] === '--version' || args[0] === '-v') {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  process.stdout.write(`${version}\n`);
} else if (existsSync(join(root, 'src')) && !existsSync(join(root, 'node_modules'))) {
  process.stderr.write('assay: packages are not installed here; run "npm start" once\n');
  process.exitCode = 1;
} else if (Number(process.versions.node.split('.')[0]) < requiredMajor) {
  runAssay(findNode(), args);
} else {
  const source = new URL('../src/cli/main.ts', import.meta.url);
  const built = new URL('../dist/cli/main.js', import.meta.url);
  const { runCommandLine } = await import(existsSync(source) ? source.href : built.href);
  await runCommandLine(args);
}
