/** `npm start`: sets the checkout up and starts the app. Flags go to `assay serve`. */

import { buildFrontEnd, buildPackage, installPackages } from './prepare.js';
import { runAssay } from './run.js';
import { findNode } from './runtime.js';

const node = findNode();
installPackages(node);
buildFrontEnd(node);
buildPackage(node);
runAssay(node, ['serve', ...process.argv.slice(2)]);
