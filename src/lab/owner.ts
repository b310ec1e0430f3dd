/**
 * Exactly one process owns a data directory: the embedded database has no lock of its own, and
 * two processes on it silently lose each other's rows.
 *
 * The lock is a chain of files `<home>/owner/<generation>.json`, each created exclusively. The
 * highest generation names the owner; when that process is gone, whoever creates the next
 * generation owns the home. A file is never taken over or written by two, so a slow contender
 * cannot remove the lock of a quick one.
 */

import { randomUUID } from 'node:crypto';
import {
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
} from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { AssayError } from '../error.ts';
import { prepareHome } from './home.ts';
import { livenessOf, ownIdentity, type ProcessIdentity } from './process-identity.ts';

/** Content of a lock file. */
export interface OwnerRecord extends ProcessIdentity {
  readonly token: string;
  readonly since: string;
  /** Address of the owner's server, once it listens. */
  readonly url: string | null;
  readonly released: boolean;
}

/** Another process owns the home. */
export class OwnedError extends AssayError {
  readonly pid: number;
  readonly url: string | null;

  constructor(home: string, pid: number, url: string | null) {
    const where = url ? ` and serves ${url}` : '';
    super(
      'busy',
      `${home} is in use by process ${pid}${where}: use that one, or end it first`,
    );
    this.pid = pid;
    this.url = url;
  }
}

export interface Owner {
  readonly home: string;
  /** Tells later contenders where the owner's server listens. */
  announce(url: string): Promise<void>;
  release(): Promise<void>;
}

export interface OwnerTimes {
  /** Milliseconds between heartbeats. */
  readonly heartbeat: number;
  /** Milliseconds without a heartbeat after which an owner that cannot be asked is gone. */
  readonly expiry: number;
}

const usualTimes: OwnerTimes = { heartbeat: 2000, expiry: 30_000 };
const attempts = 8;

/**
 * Takes ownership of a home, at once or not at all.
 *
 * @throws OwnedError naming the owner's pid and address; AssayError `environment` when the
 * home cannot be written.
 */
export async function acquireOwner(
  home: string,
  times: OwnerTimes = usualTimes,
): Promise<Owner> {
  await prepareHome(home);
  const directory = join(home, 'owner');
  await mkdir(directory, { recursive: true });
  const record: OwnerRecord = {
    ...ownIdentity(),
    token: randomUUID(),
    since: new Date().toISOString(),
    url: null,
    released: false,
  };
  for (let attempt = 0; attempt < attempts; attempt++) {
    const generations = await listGenerations(directory);
    await refuseLiving(home, directory, generations, times);
    const own = (generations.at(-1) ?? 0) + 1;
    if (!(await createExclusively(directory, own, record))) continue;
    // Someone slower or quicker may have created another generation meanwhile: the highest
    // one counts, and a living lower one may already believe that it owns the home.
    const others = (await listGenerations(directory)).filter((each) => each !== own);
    const higher = others.some((each) => each > own);
    const living = await findLiving(directory, others, times);
    if (!higher && living === undefined) {
      await Promise.all(
        others.map((each) => rm(pathOf(directory, each), { force: true })),
      );
      return holdOwner(home, directory, own, record, times);
    }
    await rm(pathOf(directory, own), { force: true });
    await wait(Math.random() * 20);
  }
  await refuseLiving(home, directory, await listGenerations(directory), times);
  throw new AssayError(
    'busy',
    `other processes are opening ${home} at this moment: try again`,
  );
}

/** The living owner of a home, for a process that wants to talk to it; null when there is none. */
export async function findOwner(home: string): Promise<OwnerRecord | null> {
  const directory = join(home, 'owner');
  const generations = await listGenerations(directory).catch(() => []);
  return (await findLiving(directory, generations, usualTimes)) ?? null;
}

function holdOwner(
  home: string,
  directory: string,
  generation: number,
  first: OwnerRecord,
  times: OwnerTimes,
): Owner {
  const path = pathOf(directory, generation);
  let record = first;
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, times.heartbeat);
  heartbeat.unref();
  const rewrite = async (change: Partial<OwnerRecord>) => {
    record = { ...record, ...change };
    await replace(directory, path, record);
  };
  return {
    home,
    announce: (url) => rewrite({ url }),
    async release() {
      clearInterval(heartbeat);
      // Marked and not deleted: the highest generation must stay the highest.
      if (!record.released) await rewrite({ released: true }).catch(() => {});
    },
  };
}

async function refuseLiving(
  home: string,
  directory: string,
  generations: readonly number[],
  times: OwnerTimes,
): Promise<void> {
  const living = await findLiving(directory, generations, times);
  if (living) throw new OwnedError(home, living.pid, living.url);
}

async function findLiving(
  directory: string,
  generations: readonly number[],
  times: OwnerTimes,
): Promise<OwnerRecord | undefined> {
  for (const generation of [...generations].reverse()) {
    const path = pathOf(directory, generation);
    const record = await readRecord(path);
    if (!record || record.released) continue;
    const liveness = livenessOf(record);
    if (liveness === 'alive') return record;
    if (liveness === 'unknown' && (await ageOf(path)) < times.expiry) return record;
  }
  return undefined;
}

/** Undefined for a file that is gone or damaged: files appear whole, so nobody is writing it. */
async function readRecord(path: string): Promise<OwnerRecord | undefined> {
  try {
    const record = JSON.parse(await readFile(path, 'utf8')) as OwnerRecord;
    return Number.isInteger(record.pid) ? record : undefined;
  } catch {
    return undefined;
  }
}

async function ageOf(path: string): Promise<number> {
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: 0 }));
  return Date.now() - mtimeMs;
}

async function listGenerations(directory: string): Promise<number[]> {
  return (await readdir(directory))
    .map((name) => /^(\d+)\.json$/.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((left, right) => left - right);
}

/** False when the file exists already. The file appears with its whole content. */
async function createExclusively(
  directory: string,
  generation: number,
  record: OwnerRecord,
): Promise<boolean> {
  const temporary = await writeTemporary(directory, record);
  try {
    await link(temporary, pathOf(directory, generation));
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    // A file system without hard links, such as exFAT.
    return createInPlace(pathOf(directory, generation), record);
  } finally {
    await rm(temporary, { force: true });
  }
}

async function createInPlace(path: string, record: OwnerRecord): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    await file.writeFile(JSON.stringify(record));
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function replace(
  directory: string,
  path: string,
  record: OwnerRecord,
): Promise<void> {
  await rename(await writeTemporary(directory, record), path);
}

async function writeTemporary(directory: string, record: OwnerRecord): Promise<string> {
  const temporary = join(directory, `.${randomUUID()}.tmp`);
  const file = await open(temporary, 'wx');
  await file.writeFile(JSON.stringify(record));
  await file.close();
  return temporary;
}

function pathOf(directory: string, generation: number): string {
  return join(directory, `${generation}.json`);
}
