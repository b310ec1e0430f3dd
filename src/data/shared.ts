/** Where tests find real data sets: beside the checkout, or where ASSAY_SHARED says. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** A path below the shared folder, and whether it is there. */
export function sharedPath(...parts: string[]): { path: string; exists: boolean } {
  const root =
    process.env.ASSAY_SHARED ?? join(import.meta.dirname, '..', '..', '..', 'shared');
  const path = join(root, ...parts);
  return { path, exists: existsSync(path) };
}
