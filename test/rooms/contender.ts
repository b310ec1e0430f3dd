/** A process that tries to own a home, adds rows while it does, and ends; for tests of the lock. */

import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { writeFileAtomic } from '../../src/format/atomic.ts';
import { acquireOwner, OwnedError } from '../../src/lab/owner.ts';

const [home, name, store, behaviour] = process.argv.slice(2) as [
  string,
  string,
  'file' | 'database',
  'release' | 'die',
];

/** Read, change, write: loses rows when two processes do it at once. */
async function addToFile(row: string): Promise<void> {
  const path = join(home, 'rows.json');
  const rows = JSON.parse(await readFile(path, 'utf8').catch(() => '[]')) as string[];
  await wait(5);
  await writeFileAtomic(path, JSON.stringify([...rows, row]));
}

async function addToDatabase(rows: readonly string[]): Promise<void> {
  const { openEmbedded } = await import('../../src/lab/database/embedded.ts');
  const database = await openEmbedded(join(home, 'database'));
  await database.query('create table if not exists rows (name text)');
  for (const row of rows) {
    await database.query('insert into rows values ($1)', [row]);
  }
  await database.close();
}

const started = performance.now();
try {
  const owner = await acquireOwner(home);
  await owner.announce(`http://127.0.0.1/${name}`);
  const rows = [0, 1, 2].map((index) => `${name}-${index}`);
  if (store === 'database') await addToDatabase(rows);
  else for (const row of rows) await addToFile(row);
  await appendFile(join(home, 'expected.txt'), `${rows.join('\n')}\n`);
  if (behaviour === 'die') process.kill(process.pid, 'SIGKILL');
  await owner.release();
  process.stdout.write('owned');
} catch (error) {
  if (!(error instanceof OwnedError)) throw error;
  const milliseconds = Math.round(performance.now() - started);
  process.stdout.write(`refused ${milliseconds} ${error.pid} ${error.message}`);
}
