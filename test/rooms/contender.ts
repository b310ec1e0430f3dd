/** A process that is told to open a home, adds rows while it owns it, and gives it free or dies. */

import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { writeFileAtomic } from '../../src/format/atomic.ts';
import { openEmbedded } from '../../src/lab/database/embedded.ts';
import { acquireOwner, OwnedError } from '../../src/lab/owner.ts';

export interface Contest {
  readonly home: string;
  /** Rows are named after it. */
  readonly name: string;
  readonly store: 'file' | 'database';
  readonly behaviour: 'release' | 'die';
}

export interface Contested {
  readonly owned: boolean;
  /** Of the attempt, when it was refused. */
  readonly milliseconds: number;
  readonly message: string;
}

/** Read, change, write: loses rows when two processes do it at once. */
async function addToFile(home: string, row: string): Promise<void> {
  const path = join(home, 'rows.json');
  const rows = JSON.parse(await readFile(path, 'utf8').catch(() => '[]')) as string[];
  await wait(2);
  await writeFileAtomic(path, JSON.stringify([...rows, row]));
}

async function addToDatabase(home: string, rows: readonly string[]): Promise<void> {
  const database = await openEmbedded(join(home, 'database'));
  await database.query('create table if not exists rows (name text)');
  for (const row of rows) {
    await database.query('insert into rows values ($1)', [row]);
  }
  await database.close();
}

async function contend({ home, name, store, behaviour }: Contest): Promise<Contested> {
  const started = performance.now();
  try {
    const owner = await acquireOwner(home);
    await owner.announce(`http://127.0.0.1/${name}`);
    const rows = [0, 1, 2].map((index) => `${name}-${index}`);
    if (store === 'database') await addToDatabase(home, rows);
    else for (const row of rows) await addToFile(home, row);
    await appendFile(join(home, 'expected.txt'), `${rows.join('\n')}\n`);
    if (behaviour === 'die') process.kill(process.pid, 'SIGKILL');
    await owner.release();
    return { owned: true, milliseconds: 0, message: '' };
  } catch (error) {
    if (!(error instanceof OwnedError)) throw error;
    const milliseconds = performance.now() - started;
    return { owned: false, milliseconds, message: error.message };
  }
}

process.on('message', (contest: Contest) => {
  void contend(contest).then((contested) => process.send?.(contested));
});
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
