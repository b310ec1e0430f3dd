/** Writes files and directories so that a reader sees all of the new content or all of the old. */

import { randomBytes } from 'node:crypto';
import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rm,
} from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { AssayError, InvalidInputError, throwIfCancelled } from '../error.ts';

/** Bytes to write: at once, or in chunks that are pulled one by one. */
export type FileContent =
  | string
  | Uint8Array
  | Iterable<Uint8Array>
  | AsyncIterable<Uint8Array>;

export interface WriteOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface WriteDirectoryOptions extends WriteOptions {
  /** What to do when the target exists already: nothing is ever replaced unasked. */
  readonly existing: 'refuse' | 'replace';
}

// One call may write at most 2^31 - 1 bytes; smaller pieces also let a signal stop it.
const pieceBytes = 64 * 1024 * 1024;

/**
 * Writes one file through a temporary file in the same directory, synced and renamed.
 * On a failure or when the signal fires the temporary file is gone and the old file is
 * as it was. Missing parent directories are created.
 *
 * @throws AssayError `environment` when the disk refuses, CancelledError.
 */
export async function writeFileAtomic(
  path: string,
  content: FileContent,
  options: WriteOptions = {},
): Promise<void> {
  const { signal } = options;
  throwIfCancelled(signal, `writing ${path}`);
  const target = resolve(path);
  const directory = dirname(target);
  const temporary = temporaryBeside(target);
  let renamed = false;
  try {
    await mkdir(directory, { recursive: true });
    const file = await open(temporary, 'wx');
    try {
      for await (const chunk of chunksOf(content)) {
        await writeFully(file, chunk, signal, path);
      }
      throwIfCancelled(signal, `writing ${path}`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
    renamed = true;
    await syncDirectory(directory);
  } catch (error) {
    if (!renamed) await rm(temporary, { force: true }).catch(() => {});
    throw diskError(path, error);
  }
}

/**
 * Lets `build` fill a temporary directory beside the target, syncs it and renames it into
 * place. With `existing: 'replace'` the old directory is moved aside first, put back when
 * the rename fails and deleted afterwards; a crash between the two renames leaves it beside
 * the target under its temporary name.
 *
 * @throws InvalidInputError when the target exists and may not be replaced, AssayError
 * `environment` when the disk refuses, CancelledError; whatever `build` throws.
 */
export async function writeDirectoryAtomic<T>(
  path: string,
  build: (temporary: string) => Promise<T>,
  options: WriteDirectoryOptions,
): Promise<T> {
  const { signal } = options;
  throwIfCancelled(signal, `writing ${path}`);
  const target = resolve(path);
  const parent = dirname(target);
  const present = await kindOf(target);
  refuseTarget(path, present, options.existing);
  const temporary = temporaryBeside(target);
  let result: T;
  try {
    await mkdir(parent, { recursive: true });
    await mkdir(temporary);
    result = await build(temporary);
    throwIfCancelled(signal, `writing ${path}`);
    await syncTree(temporary);
    await replaceDirectory(path, temporary, target, options.existing);
    await syncDirectory(parent);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    throw diskError(path, error);
  }
  return result;
}

async function replaceDirectory(
  path: string,
  temporary: string,
  target: string,
  existing: 'refuse' | 'replace',
): Promise<void> {
  // Asked again: somebody may have made the target while `build` ran.
  const present = await kindOf(target);
  refuseTarget(path, present, existing);
  if (present === 'absent') {
    await rename(temporary, target);
    return;
  }
  const aside = temporaryBeside(target);
  await rename(target, aside);
  try {
    await rename(temporary, target);
  } catch (error) {
    await rename(aside, target);
    throw error;
  }
  // The new directory is in place: failing to clear the old one is no failure to write.
  await rm(aside, { recursive: true, force: true }).catch(() => {});
}

type Kind = 'absent' | 'directory' | 'other';

async function kindOf(path: string): Promise<Kind> {
  try {
    return (await lstat(path)).isDirectory() ? 'directory' : 'other';
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'absent';
    throw diskError(path, error);
  }
}

function refuseTarget(path: string, kind: Kind, existing: 'refuse' | 'replace'): void {
  if (kind === 'other') {
    throw new InvalidInputError(path, 'a directory or nothing there', 'a file');
  }
  if (kind === 'directory' && existing === 'refuse') {
    throw new InvalidInputError(
      path,
      'a directory that does not exist yet',
      'one that does: choose another or ask for it to be replaced',
    );
  }
}

function temporaryBeside(target: string): string {
  const name = `.${basename(target)}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`;
  return join(dirname(target), name);
}

async function* chunksOf(content: FileContent): AsyncGenerator<Uint8Array> {
  if (typeof content === 'string') yield Buffer.from(content, 'utf8');
  else if (content instanceof Uint8Array) yield content;
  else yield* content;
}

async function writeFully(
  file: FileHandle,
  chunk: Uint8Array,
  signal: AbortSignal | undefined,
  path: string,
): Promise<void> {
  let done = 0;
  while (done < chunk.length) {
    throwIfCancelled(signal, `writing ${path}`);
    const length = Math.min(pieceBytes, chunk.length - done);
    const { bytesWritten } = await file.write(chunk, done, length);
    done += bytesWritten;
  }
}

async function syncTree(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else if (entry.isFile()) await syncPath(path);
  }
  await syncDirectory(directory);
}

async function syncDirectory(directory: string): Promise<void> {
  // Windows cannot open a directory; its renames are durable without it.
  if (process.platform !== 'win32') await syncPath(directory);
}

async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

const diskReasons: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a part of the path is a file',
  EISDIR: 'there is a directory of that name',
  EEXIST: 'a part of the path is a file',
  ENAMETOOLONG: 'the name is too long',
};

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

function diskError(path: string, error: unknown): unknown {
  if (error instanceof AssayError) return error;
  const reason = diskReasons[codeOf(error) ?? ''];
  if (reason === undefined) return error;
  return new AssayError(
    'environment',
    `cannot write ${path}: ${reason}; nothing was changed, choose another place or make room`,
    { cause: error },
  );
}
