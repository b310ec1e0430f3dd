/** Builds the front end once before the browser tests, so that they see the sources as they are. */

import { fileURLToPath } from 'node:url';
import { build } from 'vite';

export async function setup(): Promise<void> {
  const root = fileURLToPath(new URL('../../web', import.meta.url));
  await build({ root, logLevel: 'error' });
}
