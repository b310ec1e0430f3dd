/** The thread that holds the embedded database. */

import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import type { DatabaseReply, DatabaseRequest } from './messages.ts';

const directory = workerData as string;
const port = parentPort!;

// The defaults reserve 128 MB of buffers, which this little data never fills; they cost a third
// of the memory and a quarter of the opening time.
const startParams = [
  ...PGlite.defaultStartParams,
  '-c',
  'shared_buffers=16MB',
  '-c',
  'wal_buffers=1MB',
];

function openAt(path: string): Promise<PGlite> {
  return PGlite.create({
    dataDir: path,
    startParams,
    initDbStartParams: ['--wal-segsize=1'],
  });
}

/** A new database is made beside its place and moved there when whole: a crash leaves no half of one. */
async function createDatabase(): Promise<void> {
  const fresh = `${directory}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(dirname(directory), { recursive: true });
  await (await openAt(fresh)).close();
  await rm(directory, { recursive: true, force: true });
  await rename(fresh, directory);
}

function reply(message: DatabaseReply): void {
  port.postMessage(message);
}

async function answer(database: PGlite, request: DatabaseRequest): Promise<void> {
  const { id } = request;
  try {
    if (request.type === 'close') {
      await database.close();
      reply({ type: 'rows', id, rows: [] });
      port.close();
      return;
    }
    if (request.type === 'query') {
      const parameters = [...request.parameters];
      const { rows } = await database.query<Record<string, unknown>>(
        request.sql,
        parameters,
      );
      return reply({ type: 'rows', id, rows });
    }
    const results = await database.exec(request.sql);
    const rows = results.flatMap((result) => result.rows as Record<string, unknown>[]);
    reply({ type: 'rows', id, rows });
  } catch (error) {
    const { message, ...fields } = { ...(error as object), ...plain(error as Error) };
    reply({ type: 'failed', id, message, fields: JSON.parse(JSON.stringify(fields)) });
  }
}

function plain(error: Error): { message: string } {
  return { message: error.message };
}

try {
  const started = performance.now();
  if (!existsSync(join(directory, 'PG_VERSION'))) await createDatabase();
  const database = await openAt(directory);
  port.on('message', (request: DatabaseRequest) => void answer(database, request));
  reply({ type: 'open', milliseconds: Math.round(performance.now() - started) });
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  reply({ type: 'unopened', message: message.split('\n')[0]! });
  port.close();
}
