/** Builds what the packed package holds: `dist` from the sources, and the front end. */

import { spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildFrontEnd, installPackages } from './prepare.js';
import { fail, findNode, root } from './runtime.js';

const node = findNode();
installPackages(node);
buildFrontEnd(node);

const output = join(root, 'dist');
rmSync(output, { recursive: true, force: true });
const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const result = spawnSync(node, [compiler, '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
if (result.status !== 0) fail('the sources did not compile; see the lines above');

// The catalog is read at run time: its texts go beside the code that reads them.
cpSync(join(root, 'src'), output, {
  recursive: true,
  filter: (path) => !/\.ts$|golden\.json$/.test(path),
});
