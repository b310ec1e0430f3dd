/** Opens the database of a home: the server of `DATABASE_URL`, or the embedded one. */

import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Database } from './database.ts';
import { migrate } from './migrations.ts';

export interface OpenRequest {
  readonly home: string;
  /** URL of a PostgreSQL server; absent: the embedded database. */
  readonly url?: string | undefined;
  readonly log: (line: string) => void;
}

/**
 * Opens and migrates. Embedded files that cannot be opened are moved aside and a new database
 * is made: results are files, and everything else in the database can be made again or asked
 * for again.
 */
export async function openDatabase(request: OpenRequest): Promise<Database> {
  const { home, url, log } = request;
  if (url) {
    const { openServer } = await import('./server.ts');
    return migrated(await openServer(url));
  }
  const { openEmbedded } = await import('./embedded.ts');
  const directory = join(home, 'database');
  try {
    return await migrated(await openEmbedded(directory));
  } catch (error) {
    if (!existsSync(directory)) throw error;
    const aside = `${directory}.broken-${Date.now()}`;
    log(`${error instanceof Error ? error.message : error}; moved to ${aside}`);
    await rename(directory, aside);
    return migrated(await openEmbedded(directory));
  }
}

async function migrated(database: Database): Promise<Database> {
  try {
    await migrate(database);
    return database;
  } catch (error) {
    await database.close().catch(() => {});
    throw error;
  }
}
