/** `npm run bench -- NAME`: runs the benches with the Node.js that Assay runs on. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { installPackages } from './prepare.js';
import { findNode, root } from './runtime.js';

const node = findNode();
installPackages(node);
const script = join(root, 'bench', 'run.ts');
const result = spawnSync(node, [script, ...process.argv.slice(2)], { stdio: 'inherit' });
process.exit(result.status ?? 1);
