/** SHA-256 of bytes and of files, streamed so that size does not matter. */

import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { throwIfCancelled } from '../error.ts';
import { withFile } from './positioned-read.ts';

/** SHA-256 of bytes or of a string's UTF-8, as lower-case hexadecimal. */
export function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}

/** SHA-256 of one file, as lower-case hexadecimal. */
export async function sha256OfFile(path: string, signal?: AbortSignal): Promise<string> {
  return withFile(path, async (file) => {
    const hash = createHash('sha256');
    const buffer = new Uint8Array(1024 * 1024);
    for (;;) {
      throwIfCancelled(signal, `hashing ${path}`);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
    }
  });
}

/**
 * One hash for a set of files: over each file's name (without its directory) and content
 * hash, in name order, so that where the files lie does not matter.
 */
export async function sha256OfFiles(
  paths: readonly string[],
  signal?: AbortSignal,
): Promise<string> {
  const named = paths
    .map((path) => ({ path, name: basename(path) }))
    .sort((left, right) =>
      left.name < right.name ? -1 : left.name > right.name ? 1 : 0,
    );
  const hash = createHash('sha256');
  for (const { path, name } of named) {
    hash.update(`${name}\0${await sha256OfFile(path, signal)}\n`);
  }
  return hash.digest('hex');
}
