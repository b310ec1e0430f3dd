/** Streams a file's bytes, unzipped where its name ends in .gz, with a bound on their number. */

import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { InvalidFileError, throwIfCancelled } from '../error.ts';

export interface ByteStreamOptions {
  /** Most bytes after unzipping: a small file can hold very many. */
  readonly maximumBytes: number;
  readonly signal?: AbortSignal | undefined;
}

const missingCodes = new Set(['ENOENT', 'ENOTDIR']);

/**
 * The bytes of a file in chunks.
 * @throws InvalidFileError when it is missing, unreadable, no valid gzip or too large.
 */
export async function* streamBytes(
  path: string,
  options: ByteStreamOptions,
): AsyncGenerator<Uint8Array> {
  const { maximumBytes, signal } = options;
  const source = createReadStream(path);
  const zipped = path.endsWith('.gz');
  const stream = zipped ? source.pipe(createGunzip()) : source;
  // `pipe` does not pass errors on.
  if (zipped) source.on('error', (error) => stream.destroy(error));
  let total = 0;
  try {
    for await (const chunk of stream) {
      throwIfCancelled(signal, `reading ${path}`);
      total += (chunk as Uint8Array).length;
      if (total > maximumBytes) {
        const received = 'more: split it into several files';
        throw new InvalidFileError(
          path,
          'file',
          `at most ${maximumBytes} bytes`,
          received,
        );
      }
      yield chunk as Uint8Array;
    }
  } catch (error) {
    throw fileError(path, error);
  } finally {
    stream.destroy();
    source.destroy();
  }
}

/** All bytes of a file at once, under the same rules as `streamBytes`. */
export async function readBytes(
  path: string,
  options: ByteStreamOptions,
): Promise<Buffer<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of streamBytes(path, options)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function fileError(path: string, error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (missingCodes.has(code)) {
    return new InvalidFileError(path, 'file', 'a readable file', 'no such file');
  }
  if (code === 'EISDIR') {
    return new InvalidFileError(path, 'file', 'a file', 'a directory');
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return new InvalidFileError(
      path,
      'file',
      'a readable file',
      'one without permission',
    );
  }
  if (code.startsWith('Z_')) {
    const reason = error instanceof Error ? error.message : code;
    return new InvalidFileError(path, 'gzip', 'a whole gzip file', reason);
  }
  return error;
}
