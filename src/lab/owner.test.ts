/** Tests of the lock: exactly one owner of a home, whatever the others do. */

import { spawn } from 'node:child_process';
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { addDatabase, temporaryHome } from '../../test/rooms/home.ts';
import { openEmbedded } from './database/embedded.ts';
import { acquireOwner, findOwner, OwnedError } from './owner.ts';
import { ownIdentity } from './process-identity.ts';

const contender = fileURLToPath(
  new URL('../../test/rooms/contender.ts', import.meta.url),
);

function contend(
  home: string,
  name: string,
  store: 'file' | 'database',
  behaviour: 'release' | 'die',
): Promise<{ output: string; signal: string | null }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [contender, home, name, store, behaviour], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.once('error', reject);
    child.once('close', (_, signal) => resolve({ output, signal }));
  });
}

/** Starts two contenders at a time until `rounds` rounds are over; returns what became of each. */
async function contest(home: string, rounds: number, store: 'file' | 'database') {
  const outcomes: { output: string; signal: string | null }[] = [];
  for (let round = 0; round < rounds; round++) {
    const behaviour = round % 4 === 3 ? 'die' : 'release';
    const pair = ['a', 'b'].map((side) =>
      contend(home, `${round}${side}`, store, behaviour),
    );
    outcomes.push(...(await Promise.all(pair)));
  }
  return outcomes;
}

async function expectedRows(home: string): Promise<string[]> {
  const text = await readFile(join(home, 'expected.txt'), 'utf8');
  return text.trim().split('\n').sort();
}

describe('the owner of a home', () => {
  it('loses nothing in 100 double opens by real processes', async () => {
    const home = await temporaryHome();
    const outcomes = await contest(home, 100, 'file');
    const rows = JSON.parse(await readFile(join(home, 'rows.json'), 'utf8')) as string[];
    expect([...rows].sort()).toEqual(await expectedRows(home));
    const owned = outcomes.filter(({ output, signal }) => output === 'owned' || signal);
    const refused = outcomes.filter(({ output }) => output.startsWith('refused'));
    expect(owned.length + refused.length).toBe(200);
    expect(owned.length).toBeGreaterThanOrEqual(100);
    expect(rows).toHaveLength(3 * owned.length);
    for (const { output } of refused) {
      const [, milliseconds] = output.split(' ');
      expect(Number(milliseconds)).toBeLessThan(1000);
    }
  }, 120_000);

  it('loses nothing in 3 double opens of the real embedded database', async () => {
    const home = await temporaryHome();
    await addDatabase(home);
    await contest(home, 3, 'database');
    const database = await openEmbedded(join(home, 'database'));
    const { rows } = await database.query<{ name: string }>('select name from rows');
    await database.close();
    expect(rows.map((row) => row.name).sort()).toEqual(await expectedRows(home));
  }, 120_000);

  it('is named to a second one, with its address once there is one', async () => {
    const home = await temporaryHome();
    const owner = await acquireOwner(home);
    await expect(acquireOwner(home)).rejects.toThrow(`process ${process.pid}:`);
    await owner.announce('http://127.0.0.1:1234');
    const started = performance.now();
    const second = acquireOwner(home);
    await expect(second).rejects.toThrow(OwnedError);
    await expect(second).rejects.toMatchObject({
      code: 'busy',
      pid: process.pid,
      url: 'http://127.0.0.1:1234',
    });
    expect(performance.now() - started).toBeLessThan(1000);
    expect((await findOwner(home))?.url).toBe('http://127.0.0.1:1234');
    await owner.release();
    expect(await findOwner(home)).toBeNull();
    await (await acquireOwner(home)).release();
    expect(await readdir(join(home, 'owner'))).toHaveLength(1);
  });

  it('is replaced when its process is dead or its pid belongs to another', async () => {
    const home = await temporaryHome();
    await (await acquireOwner(home)).release();
    const stale = async (change: object) => {
      const record = { token: 't', since: '', url: null, released: false };
      await writeFile(
        join(home, 'owner', '900.json'),
        JSON.stringify({ ...ownIdentity(), ...record, ...change }),
      );
    };
    await stale({ pid: 2 ** 22 + 1 });
    await (await acquireOwner(home)).release();
    await stale({ startTime: '1' });
    await (await acquireOwner(home)).release();
    await writeFile(join(home, 'owner', '901.json'), '{"pid":');
    await (await acquireOwner(home)).release();
  });

  it('on another machine counts as alive until its heartbeat is old', async () => {
    const home = await temporaryHome();
    await (await acquireOwner(home)).release();
    const path = join(home, 'owner', '900.json');
    const record = { ...ownIdentity(), machine: 'elsewhere', url: null, released: false };
    await writeFile(path, JSON.stringify(record));
    await expect(acquireOwner(home)).rejects.toThrow(OwnedError);
    const old = new Date(Date.now() - 60_000);
    await utimes(path, old, old);
    await (await acquireOwner(home)).release();
  });

  it('names a home that cannot be written', async () => {
    const home = await temporaryHome();
    await writeFile(join(home, 'file'), '');
    await expect(acquireOwner(join(home, 'file'))).rejects.toMatchObject({
      code: 'environment',
      message: expect.stringContaining('ASSAY_HOME'),
    });
  });
});
