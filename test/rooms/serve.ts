/** A process that serves the throwaway room, for tests that kill it. */

import { startServer } from '../../src/server/start.ts';
import { registry } from './guess.ts';

const [home] = process.argv.slice(2);

const { url } = await startServer({
  home,
  port: 0,
  databaseUrl: '',
  registry,
  registryUrl: new URL('./guess.ts', import.meta.url),
  log: (line) => process.stderr.write(`${line}\n`),
});
process.stdout.write(`${url}\n`);
