/** Builds the front end once before the browser tests, so that they see the sources as they are. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const project = fileURLToPath(new URL('../..', import.meta.url));
const vite = fileURLToPath(
  new URL('../../node_modules/vite/bin/vite.js', import.meta.url),
);

export function setup(): void {
  const result = spawnSync(
    process.execPath,
    [vite, 'build', 'web', '--logLevel', 'error'],
    {
      cwd: project,
      stdio: 'inherit',
      // Inside vitest it says "test", which would build React's development version.
      env: { ...process.env, NODE_ENV: 'production' },
    },
  );
  if (result.status !== 0) throw new Error('the front end does not build');
}
