/** Tests of the embedded database and of recovering from damaged files. */

import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { testDatabase } from '../../../test/rooms/database-contract.ts';
import { addDatabase, sharedHome, temporaryHome } from '../../../test/rooms/home.ts';
import type { Database } from './database.ts';
import { openEmbedded } from './embedded.ts';
import { openDatabase } from './open.ts';

// Opening the embedded database takes long on a busy machine.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

async function directory(): Promise<string> {
  return join(await addDatabase(await temporaryHome()), 'database');
}

describe('the embedded database', () => {
  // Opening takes a while: these share one database, which is emptied in between.
  let shared: Database;
  beforeAll(async () => {
    const home = await addDatabase(await sharedHome());
    shared = await openEmbedded(join(home, 'database'));
  });
  afterAll(() => shared?.close());
  testDatabase(async () => {
    await shared.execute(
      'drop table if exists pair; drop schema if exists assay cascade',
    );
    return { ...shared, close: async () => {} };
  });

  it('leaves its caller responsive, answers what was asked before it is closed and nothing after', async () => {
    const database = await openEmbedded(await directory());
    const last = database.query(
      'select sum(sqrt(each))::text as sum from generate_series(1, 3000000) as each',
    );
    let turns = 0;
    const timer = setInterval(() => turns++, 5);
    await database.close();
    clearInterval(timer);
    expect(turns).toBeGreaterThan(5);
    expect((await last).rows).toHaveLength(1);
    await expect(database.query('select 1')).rejects.toMatchObject({
      code: 'environment',
    });
    await database.close();
  });

  it('is moved aside and made again when its files are damaged', async () => {
    const home = await addDatabase(await temporaryHome());
    const lines: string[] = [];
    const open = () => openDatabase({ home, log: (line) => lines.push(line) });
    await (await open()).close();
    expect(lines).toEqual([]);
    await writeFile(join(home, 'database', 'global', 'pg_control'), 'damaged');
    const database = await open();
    onTestFinished(() => database.close());
    const { rows } = await database.query('select count(*)::int as n from assay.job');
    expect(rows).toEqual([{ n: 0 }]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^cannot open the database in .*; moved to .*broken/);
    const names = await readdir(home);
    expect(names.filter((name) => name.startsWith('database.broken-'))).toHaveLength(1);
  });
});
