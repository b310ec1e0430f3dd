/** SHA-256 of what the user pointed at, so that a result can be traced to its data. */

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { throwIfCancelled } from '../error.ts';
import { sha256, sha256OfFile } from '../format/hash.ts';
import { canonicalJson } from './fingerprint.ts';

/**
 * One hash per input: of the content where it names a file or a directory that exists (hidden
 * entries left out), of the value itself otherwise. Paths do not enter, only contents and, in
 * a directory, the names below it.
 */
export async function hashInputs(
  inputs: Readonly<Record<string, unknown>>,
  signal?: AbortSignal,
): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const [name, value] of Object.entries(inputs)) {
    hashes[name] = await hashOf(value, signal);
  }
  return hashes;
}

async function hashOf(value: unknown, signal: AbortSignal | undefined): Promise<string> {
  if (Array.isArray(value) && value.length > 0) {
    const parts: string[] = [];
    for (const part of value) parts.push(await hashOf(part, signal));
    return sha256(parts.join('\n'));
  }
  if (typeof value !== 'string' || value === '') return sha256(canonicalJson(value));
  const found = await stat(value).catch(() => undefined);
  if (found?.isFile()) return sha256OfFile(value, signal);
  if (found?.isDirectory()) return hashDirectory(value, signal);
  return sha256(canonicalJson(value));
}

async function hashDirectory(
  directory: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => path.slice(directory.length).replaceAll('\\', '/').replace(/^\//, ''))
    .filter((name) => !name.split('/').some((part) => part.startsWith('.')))
    .sort();
  const lines: string[] = [];
  for (const name of files) {
    throwIfCancelled(signal, `hashing ${directory}`);
    lines.push(`${name}\0${await sha256OfFile(join(directory, name), signal)}`);
  }
  return sha256(lines.join('\n'));
}
