/** Models that ship with the package, known by a bare name: `nano`. */

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of the package: two folders above this file, in the sources and in the build alike. */
const packageRoot = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Directory of the shipped model of that name; any other path comes back as it is. */
export function resolveModelPath(path: string): string {
  if (!/^[a-z0-9-]+$/.test(path) || existsSync(path)) return path;
  const shipped = join(packageRoot, 'models', path);
  return existsSync(shipped) ? shipped : path;
}
