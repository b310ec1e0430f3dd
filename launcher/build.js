/** `npm run build`: everything that the packed package holds. */

import { buildFrontEnd, buildPackage, installPackages } from './prepare.js';
import { findNode } from './runtime.js';

const node = findNode();
installPackages(node);
buildFrontEnd(node);
buildPackage(node);
