/** Reads byte ranges of files without keeping them open or reading the rest. */

import { type FileHandle, open } from 'node:fs/promises';
import { InvalidFileError } from '../error.ts';

// One read call takes at most 2^31 - 1 bytes.
const pieceBytes = 1024 * 1024 * 1024;

/** Size and modification time: enough to notice that a file was replaced meanwhile. */
export interface FileStamp {
  readonly size: number;
  readonly modified: number;
}

/**
 * Runs `use` with a file opened for reading, and its stamp.
 * @throws InvalidFileError when it does not exist, is not a plain file or may not be read.
 */
export async function withFile<T>(
  path: string,
  use: (file: FileHandle, stamp: FileStamp) => Promise<T>,
): Promise<T> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const reasons: Record<string, string> = {
      ENOENT: 'no such file',
      ENOTDIR: 'no such file',
      EACCES: 'a file that may not be read',
      EPERM: 'a file that may not be read',
      EISDIR: 'a directory',
    };
    throw new InvalidFileError(path, 'file', 'a readable file', reasons[code] ?? code);
  }
  try {
    const status = await file.stat();
    if (!status.isFile()) {
      const received = status.isDirectory() ? 'a directory' : 'something else';
      throw new InvalidFileError(path, 'file', 'a plain file', received);
    }
    return await use(file, { size: status.size, modified: status.mtimeMs });
  } finally {
    await file.close();
  }
}

/**
 * Reads exactly `length` bytes from `offset` into a fresh buffer.
 * @throws InvalidFileError naming `field` when the file ends before.
 */
export async function readExactly(
  file: FileHandle,
  path: string,
  field: string,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const wanted = Math.min(pieceBytes, length - done);
    const { bytesRead } = await file.read(bytes, done, wanted, offset + done);
    if (bytesRead === 0) {
      throw new InvalidFileError(
        path,
        field,
        `${length} bytes`,
        `${done}: the file ends too early`,
        offset,
      );
    }
    done += bytesRead;
  }
  return bytes;
}

/** Refuses a file that is no longer the one that was opened before. */
export function checkUnchanged(path: string, before: FileStamp, now: FileStamp): void {
  if (before.size !== now.size || before.modified !== now.modified) {
    throw new InvalidFileError(
      path,
      'file',
      'the same file as when it was opened',
      `a file changed since (${before.size} bytes before, ${now.size} now)`,
    );
  }
}
