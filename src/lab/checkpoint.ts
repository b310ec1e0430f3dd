/** Finished pieces of a run kept on disk, so that a run goes on after a crash. */

import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../format/atomic.ts';
import { sha256 } from '../format/hash.ts';
import type { Checkpoint } from '../nouns/run.ts';

const digestBytes = 32;

/** A checkpoint on disk; `clear` forgets every piece. */
export interface StoredCheckpoint extends Checkpoint {
  readonly directory: string;
  clear(): Promise<void>;
}

/**
 * The checkpoint of one run, named by the fingerprint of everything that decides its result.
 * A piece is stored behind its own SHA-256; a damaged piece reads as if it were absent.
 */
export function openCheckpoint(home: string, runFingerprint: string): StoredCheckpoint {
  const directory = join(home, 'work', runFingerprint);
  const pathOf = (key: string) => join(directory, `${sha256(key).slice(0, 40)}.piece`);
  return {
    directory,
    async read(key) {
      const stored = await readFile(pathOf(key)).catch(() => undefined);
      if (stored === undefined || stored.length < digestBytes) return undefined;
      const bytes = stored.subarray(digestBytes);
      const expected = stored.subarray(0, digestBytes).toString('hex');
      return sha256(bytes) === expected ? new Uint8Array(bytes) : undefined;
    },
    async write(key, bytes) {
      const digest = Buffer.from(sha256(bytes), 'hex');
      await writeFileAtomic(pathOf(key), Buffer.concat([digest, bytes]));
    },
    async clear() {
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Key of the piece that names the stored result of a run that came to its end. */
export const resultKey = 'result';

const keptMilliseconds = 7 * 24 * 60 * 60 * 1000;

/**
 * Deletes the checkpoints of runs whose result is stored, left by a crash just after that, and
 * those that nobody came back to for a week. Call it while no run is waiting to go on.
 */
export async function sweepCheckpoints(home: string, now = Date.now()): Promise<void> {
  for (const name of await readdir(join(home, 'work')).catch(() => [])) {
    const checkpoint = openCheckpoint(home, name);
    const { mtimeMs } = await stat(checkpoint.directory).catch(() => ({ mtimeMs: now }));
    const finished = (await checkpoint.read(resultKey)) !== undefined;
    if (finished || now - mtimeMs > keptMilliseconds) await checkpoint.clear();
  }
}

/** The part of a checkpoint whose keys start with `scope`, for a run inside a run. */
export function scopedCheckpoint(checkpoint: Checkpoint, scope: string): Checkpoint {
  return {
    read: (key) => checkpoint.read(`${scope}/${key}`),
    write: (key, bytes) => checkpoint.write(`${scope}/${key}`, bytes),
  };
}

/** Reads a piece that holds JSON; undefined when it is absent. */
export async function readJsonPiece(
  checkpoint: Checkpoint,
  key: string,
): Promise<unknown> {
  const bytes = await checkpoint.read(key);
  return bytes === undefined ? undefined : JSON.parse(new TextDecoder().decode(bytes));
}

export async function writeJsonPiece(
  checkpoint: Checkpoint,
  key: string,
  value: unknown,
): Promise<void> {
  await checkpoint.write(key, new TextEncoder().encode(JSON.stringify(value)));
}
