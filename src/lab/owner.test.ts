/** Tests of the lock: exactly one owner of a home, whatever the others do. */

import { type ChildProcess, fork } from 'node:child_process';
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Contest, Contested } from '../../test/rooms/contender.ts';
import { addDatabase, temporaryHome } from '../../test/rooms/home.ts';
import { openEmbedded } from './database/embedded.ts';
import { acquireOwner, findOwner, OwnedError } from './owner.ts';
import { ownIdentity } from './process-identity.ts';

const contender = fileURLToPath(
  new URL('../../test/rooms/contender.ts', import.meta.url),
);

type Outcome = Contested | 'died';

/** A contender that stays for many contests, until it is told to die. */
function startContender(): { contend(contest: Contest): Promise<Outcome>; end(): void } {
  let child: ChildProcess | undefined;
  const living = (): ChildProcess => {
    if (child?.connected) return child;
    child = fork(contender, { execArgv: [] });
    return child;
  };
  return {
    async contend(contest) {
      const fresh = !child?.connected;
      const process = living();
      if (fresh) await new Promise((resolve) => process.once('message', resolve));
      return new Promise((resolve) => {
        const died = () => resolve('died');
        process.once('close', died);
        process.once('message', (contested: Contested) => {
          process.off('close', died);
          resolve(contested);
        });
        process.send(contest);
      });
    },
    end() {
      if (child?.connected) child.disconnect();
    },
  };
}

/** Lets two processes open the home at the same moment, again and again. */
async function contestBetweenTwo(
  home: string,
  rounds: number,
  store: 'file' | 'database',
): Promise<Outcome[]> {
  const contenders = [startContender(), startContender()];
  const outcomes: Outcome[] = [];
  for (let round = 0; round < rounds; round++) {
    const behaviour = round % 10 === 9 ? 'die' : 'release';
    const pair = contenders.map((each, side) =>
      each.contend({ home, name: `${round}-${side}`, store, behaviour }),
    );
    outcomes.push(...(await Promise.all(pair)));
  }
  for (const each of contenders) each.end();
  return outcomes;
}

async function expectedRows(home: string): Promise<string[]> {
  const text = await readFile(join(home, 'expected.txt'), 'utf8');
  return text.trim().split('\n').sort();
}

describe('the owner of a home', () => {
  it('loses nothing in 100 double opens by real processes', async () => {
    const home = await temporaryHome();
    const outcomes = await contestBetweenTwo(home, 100, 'file');
    const rows = JSON.parse(await readFile(join(home, 'rows.json'), 'utf8')) as string[];
    expect([...rows].sort()).toEqual(await expectedRows(home));
    const died = outcomes.filter((outcome) => outcome === 'died');
    const answered = outcomes.filter((outcome) => outcome !== 'died');
    const refused = answered.filter((outcome) => !outcome.owned);
    expect(outcomes).toHaveLength(200);
    expect(died.length).toBeGreaterThanOrEqual(10);
    expect(refused.length).toBeGreaterThan(0);
    expect(rows).toHaveLength(3 * (200 - refused.length));
    for (const { message, milliseconds } of refused) {
      expect(message).toMatch(/in use by process \d+/);
      expect(milliseconds).toBeLessThan(1000);
    }
  }, 120_000);

  it('loses nothing in 3 double opens of the real embedded database', async () => {
    const home = await temporaryHome();
    await addDatabase(home);
    await contestBetweenTwo(home, 3, 'database');
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
