/** Finds the safetensors of a model directory: one file, an index with shards, or shards alone. */

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidFileError } from '../error.ts';
import { isJsonObject, parseStrictJson } from './json.ts';
import { readExactly, withFile } from './positioned-read.ts';
import {
  openSafetensorsFile,
  type SafetensorsFile,
  sourceOfFiles,
  type TensorSource,
} from './safetensors.ts';

/** Name of the single file of an unsharded model. */
export const singleFileName = 'model.safetensors';
/** Name of the index of a sharded model. */
export const indexFileName = 'model.safetensors.index.json';

const maximumIndexBytes = 100_000_000;
const shardPattern = /^(.*)-(\d{5})-of-(\d{5})\.safetensors$/;

/**
 * Opens a `.safetensors` file or a model directory: `model.safetensors`, else
 * `model.safetensors.index.json` with its shards, else every `model*.safetensors`.
 *
 * @throws InvalidFileError naming file and tensor for a missing shard, a tensor in two
 * shards, a tensor that the index names and its shard lacks, and any malformed file.
 */
export async function openSafetensors(path: string): Promise<TensorSource> {
  const status = await stat(path).catch(() => null);
  if (!status) {
    throw new InvalidFileError(path, 'path', 'a file or a directory', 'nothing there');
  }
  if (!status.isDirectory()) return sourceOfFiles([await openSafetensorsFile(path)]);
  const present = new Set(await readdir(path));
  if (present.has(singleFileName)) {
    return sourceOfFiles([await openSafetensorsFile(join(path, singleFileName))]);
  }
  if (present.has(indexFileName)) return openIndexed(path, present);
  return openUnindexed(path, [...present]);
}

async function openIndexed(
  directory: string,
  present: ReadonlySet<string>,
): Promise<TensorSource> {
  const indexPath = join(directory, indexFileName);
  const shardOf = await readIndex(indexPath);
  const names = [...new Set(shardOf.values())].sort();
  for (const name of names) {
    if (!present.has(name)) {
      const missing = [...shardOf].find(([, shard]) => shard === name)?.[0];
      throw new InvalidFileError(
        join(directory, name),
        `shard with tensor ${JSON.stringify(missing)}`,
        `the file that ${indexFileName} names`,
        'no such file',
      );
    }
  }
  const files = await openAll(directory, names);
  const held = new Map(
    files.map((file, index) => [
      names[index]!,
      new Set(file.entries.map((entry) => entry.name)),
    ]),
  );
  for (const [tensor, shard] of shardOf) {
    if (!held.get(shard)?.has(tensor)) {
      throw new InvalidFileError(
        join(directory, shard),
        `tensor ${JSON.stringify(tensor)}`,
        `the tensor that ${indexFileName} places here`,
        'no such tensor',
      );
    }
  }
  return sourceOfFiles(files);
}

async function openUnindexed(
  directory: string,
  present: readonly string[],
): Promise<TensorSource> {
  const names = present
    .filter((name) => name.startsWith('model') && name.endsWith('.safetensors'))
    .sort();
  if (names.length === 0) {
    const shown = present.slice(0, 10).sort().join(', ') || 'an empty directory';
    const expected = `${singleFileName}, ${indexFileName} or model*.safetensors`;
    throw new InvalidFileError(directory, 'directory', expected, shown);
  }
  for (const name of names) {
    const parts = shardPattern.exec(name);
    if (!parts) continue;
    const [, stem, , total] = parts;
    for (let index = 1; index <= Number(total); index++) {
      const wanted = `${stem}-${String(index).padStart(5, '0')}-of-${total}.safetensors`;
      if (!names.includes(wanted)) {
        const expected = `the shard beside ${name}`;
        throw new InvalidFileError(
          join(directory, wanted),
          'shard',
          expected,
          'no such file',
        );
      }
    }
  }
  return sourceOfFiles(await openAll(directory, names));
}

async function openAll(
  directory: string,
  names: readonly string[],
): Promise<SafetensorsFile[]> {
  const files: SafetensorsFile[] = [];
  const owner = new Map<string, string>();
  for (const name of names) {
    const file = await openSafetensorsFile(join(directory, name));
    for (const entry of file.entries) {
      const other = owner.get(entry.name);
      if (other !== undefined) {
        throw new InvalidFileError(
          file.path,
          `tensor ${JSON.stringify(entry.name)}`,
          'a tensor in one shard only',
          `one that ${other} holds too`,
        );
      }
      owner.set(entry.name, name);
    }
    files.push(file);
  }
  return files;
}

async function readIndex(path: string): Promise<Map<string, string>> {
  const bytes = await withFile(path, async (file, { size }) => {
    if (size > maximumIndexBytes) {
      throw new InvalidFileError(
        path,
        'file',
        `at most ${maximumIndexBytes} bytes`,
        `${size}`,
      );
    }
    return readExactly(file, path, 'file', 0, size);
  });
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InvalidFileError(path, 'file', 'UTF-8 text', 'other bytes');
  }
  const root = parseStrictJson(text, path, 'index');
  const map = isJsonObject(root) ? root.get('weight_map') : undefined;
  if (!isJsonObject(map) || map.size === 0) {
    throw new InvalidFileError(
      path,
      'weight_map',
      'an object from tensor to file',
      'none',
    );
  }
  const shardOf = new Map<string, string>();
  for (const [tensor, shard] of map) {
    // A name with a separator could reach outside of the directory.
    if (typeof shard !== 'string' || !/^[^/\\]+\.safetensors$/.test(shard)) {
      const field = `weight_map.${tensor}`;
      const expected = 'the name of a .safetensors file in this directory';
      throw new InvalidFileError(
        path,
        field,
        expected,
        JSON.stringify(shard) ?? 'nothing',
      );
    }
    shardOf.set(tensor, shard);
  }
  return shardOf;
}
