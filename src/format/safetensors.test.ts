import { writeFileSync } from 'node:fs';
import {
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { DataType } from '../array/tensor.ts';
import { AssayError, InvalidFileError, InvalidInputError } from '../error.ts';
import { sha256, sha256OfFiles } from './hash.ts';
import { mutate, seededIntegers } from './mutations.ts';
import { openSafetensors } from './safetensors-directory.ts';
import {
  type TensorToWrite,
  writeSafetensors,
  writeShardedSafetensors,
} from './safetensors-writer.ts';

let root = '';
let directory = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'assay-safetensors-'));
});
beforeEach(async () => {
  directory = await mkdtemp(join(root, 'case-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const everyType: TensorToWrite[] = [
  { name: 'b', dtype: 'bool', shape: [3], data: Uint8Array.of(1, 0, 1) },
  { name: 'i8', dtype: 'int8', shape: [2], data: Int8Array.of(-128, 127) },
  { name: 'u8', dtype: 'uint8', shape: [1], data: Uint8Array.of(255) },
  { name: 'i16', dtype: 'int16', shape: [1], data: Int16Array.of(-32768) },
  { name: 'u16', dtype: 'uint16', shape: [1], data: Uint16Array.of(65535) },
  { name: 'f16', dtype: 'float16', shape: [2, 1], data: Float16Array.of(1.5, -0.25) },
  { name: 'bf16', dtype: 'bfloat16', shape: [2], data: Uint16Array.of(0x3fc0, 0xbe80) },
  { name: 'i32', dtype: 'int32', shape: [1], data: Int32Array.of(-(2 ** 31)) },
  { name: 'u32', dtype: 'uint32', shape: [], data: Uint32Array.of(2 ** 31) },
  { name: 'f32', dtype: 'float32', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
  { name: 'i64', dtype: 'int64', shape: [1], data: BigInt64Array.of(-5n) },
  { name: 'u64', dtype: 'uint64', shape: [1], data: BigUint64Array.of(2n ** 40n) },
  { name: 'f64', dtype: 'float64', shape: [1], data: Float64Array.of(0.5) },
  { name: 'empty', dtype: 'float32', shape: [0, 4], data: new Float32Array(0) },
];

/** A file with a header written out by hand. */
async function handMade(header: string | Uint8Array, data: Uint8Array): Promise<string> {
  const bytes = typeof header === 'string' ? Buffer.from(header) : header;
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  const path = join(directory, 'hand.safetensors');
  await writeFile(path, Buffer.concat([length, bytes, data]));
  return path;
}

const entry = (dtype: string, shape: string, begin: number, end: number): string =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;

describe('one file', () => {
  it('returns every type as it was written, and as float32', async () => {
    const path = join(directory, 'all.safetensors');
    await writeSafetensors(path, everyType, { metadata: { format: 'pt', ключ: '✓' } });
    const source = await openSafetensors(path);
    expect(Object.fromEntries(source.metadata)).toEqual({ format: 'pt', ключ: '✓' });
    for (const { name, dtype, shape, data } of everyType) {
      const stored = await source.readStored(name);
      expect({ ...stored }).toEqual({ dtype, shape, data });
      expect(source.describe(name)).toMatchObject({ dtype, shape });
    }
    const values = async (name: string) => [...(await source.read(name)).data];
    expect(await values('bf16')).toEqual([1.5, -0.25]);
    expect(await values('f16')).toEqual([1.5, -0.25]);
    expect(await values('i64')).toEqual([-5]);
    expect(await values('u64')).toEqual([2 ** 40]);
    expect(await values('b')).toEqual([1, 0, 1]);
    expect((await source.read('u32')).shape).toEqual([]);
  });

  it('lays tensors out aligned and independent of the order given', async () => {
    const one = join(directory, 'one.safetensors');
    const two = join(directory, 'two.safetensors');
    await writeSafetensors(one, everyType);
    await writeSafetensors(two, [...everyType].reverse());
    const bytes = await readFile(one);
    expect(bytes.equals(await readFile(two))).toBe(true);
    const length = Number(bytes.readBigUInt64LE(0));
    expect(length % 8).toBe(0);
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString('utf8'));
    const widths: Record<string, number> = {
      F64: 8,
      I64: 8,
      U64: 8,
      F32: 4,
      I32: 4,
      U32: 4,
    };
    for (const { dtype, data_offsets } of Object.values<Record<string, never>>(header)) {
      expect(data_offsets[0] % (widths[dtype] ?? 1)).toBe(0);
    }
  });

  it('asks for the data of one tensor at a time', async () => {
    const path = join(directory, 'lazy.safetensors');
    let alive = 0;
    const lazily = (name: string): TensorToWrite => ({
      name,
      dtype: 'float32',
      shape: [4],
      data: async () => {
        expect(++alive).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 1));
        alive--;
        return new Float32Array(4);
      },
    });
    await writeSafetensors(path, ['a', 'b', 'c'].map(lazily));
    expect((await openSafetensors(path)).names).toEqual(['a', 'b', 'c']);
  });

  it('refuses to write what does not fit its description', async () => {
    const path = join(directory, 'x.safetensors');
    const data = new Float32Array(4);
    const wrong: TensorToWrite[][] = [
      [{ name: 'a', dtype: 'float32', shape: [5], data }],
      [{ name: 'a', dtype: 'int32', shape: [4], data }],
      [{ name: 'a', dtype: 'float32', shape: [-4], data }],
      [{ name: '__metadata__', dtype: 'float32', shape: [4], data }],
      [everyType[0]!, everyType[0]!],
    ];
    for (const tensors of wrong) {
      await expect(writeSafetensors(path, tensors)).rejects.toBeInstanceOf(
        InvalidInputError,
      );
    }
    expect(await readdir(directory)).toEqual([]);
  });

  it('refuses a file that changed after it was opened', async () => {
    const path = join(directory, 'x.safetensors');
    await writeSafetensors(path, everyType);
    const source = await openSafetensors(path);
    await truncate(path, (await stat(path)).size - 1);
    await expect(source.read('f32')).rejects.toThrow(/changed/);
    await expect(source.read('none')).rejects.toBeInstanceOf(InvalidInputError);
  });
});

describe('malformed files', () => {
  const four = new Uint8Array(4);
  const cases: [string, string | Uint8Array, Uint8Array, RegExp][] = [
    ['an array', '[]', four, /"\{" as its first byte/],
    ['a space first', ` {"a":${entry('F32', '[1]', 0, 4)}}`, four, /first byte/],
    ['not JSON', '{"a":', four, /a value/],
    ['not UTF-8', Uint8Array.of(0x7b, 0xff, 0x7d), four, /UTF-8/],
    ['a key twice', `{"a":${entry('F32', '[1]', 0, 4)},"a":1}`, four, /before/],
    ['an unknown type', `{"a":${entry('F7', '[1]', 0, 4)}}`, four, /dtype among/],
    [
      'a type of the prototype',
      `{"a":${entry('constructor', '[1]', 0, 4)}}`,
      four,
      /dtype/,
    ],
    ['an unknown field', '{"a":{"dtype":"F32","type":1}}', four, /only dtype/],
    ['a negative size', `{"a":${entry('F32', '[-1]', 0, 4)}}`, four, /whole numbers/],
    ['a fractional size', `{"a":${entry('F32', '[1.5]', 0, 4)}}`, four, /whole numbers/],
    [
      'an overflow',
      `{"a":${entry('F32', '[3037000500,3037000500]', 0, 4)}}`,
      four,
      /2\^53/,
    ],
    ['a size too small', `{"a":${entry('F32', '[2]', 0, 4)}}`, four, /8 bytes/],
    ['offsets swapped', `{"a":${entry('F32', '[1]', 4, 0)}}`, four, /data_offsets/],
    ['a hole', `{"a":${entry('U8', '[1]', 3, 4)}}`, four, /hole/],
    [
      'an overlap',
      `{"a":${entry('U8', '[3]', 0, 3)},"b":${entry('U8', '[2]', 2, 4)}}`,
      four,
      /overlap/,
    ],
    ['bytes left over', `{"a":${entry('U8', '[3]', 0, 3)}}`, four, /3 bytes after/],
    ['a truncated file', `{"a":${entry('U8', '[5]', 0, 5)}}`, four, /truncated/],
    ['metadata of numbers', '{"__metadata__":{"a":1}}', new Uint8Array(0), /a string/],
  ];
  it.each(cases)('refuses %s', async (_, header, data, message) => {
    const path = await handMade(header, data);
    const work = openSafetensors(path);
    await expect(work).rejects.toBeInstanceOf(InvalidFileError);
    await expect(openSafetensors(path)).rejects.toThrow(message);
  });

  it('refuses headers beyond the file or the limit without allocating them', async () => {
    const path = join(directory, 'x.safetensors');
    for (const length of [0n, 1n, 100n, 100_000_001n, 2n ** 63n, 2n ** 64n - 1n]) {
      const field = Buffer.alloc(16);
      field.writeBigUInt64LE(length);
      await writeFile(path, field);
      await expect(openSafetensors(path)).rejects.toThrow(/header length/);
    }
    await writeFile(path, '1234567');
    await expect(openSafetensors(path)).rejects.toBeInstanceOf(InvalidFileError);
    await expect(openSafetensors(join(directory, 'no'))).rejects.toThrow(/nothing there/);
  });

  it('refuses a boolean that is neither 0 nor 1', async () => {
    const path = await handMade(
      `{"a":${entry('BOOL', '[2]', 0, 2)}}`,
      Uint8Array.of(1, 2),
    );
    const source = await openSafetensors(path);
    await expect(source.read('a')).rejects.toThrow(/tensor "a".*0 or 1, got byte 2/);
  });

  it('answers 3000 damaged files with tensors or a typed error', async () => {
    const path = join(directory, 'x.safetensors');
    await writeSafetensors(path, everyType, { metadata: { a: 'b' } });
    const whole = await readFile(path);
    const integer = seededIntegers(1);
    let refused = 0;
    for (let round = 0; round < 3000; round++) {
      writeFileSync(path, mutate(whole, integer));
      try {
        const source = await openSafetensors(path);
        for (const name of source.names) await source.read(name);
      } catch (error) {
        if (!(error instanceof InvalidFileError)) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(2000);
  });
});

describe('a directory', () => {
  const tensor = (name: string, dtype: DataType = 'float32'): TensorToWrite => ({
    name,
    dtype,
    shape: [4],
    data: Float32Array.of(1, 2, 3, name.length),
  });
  const four = ['a', 'bb', 'ccc', 'dddd'].map((name) => tensor(name));
  const shard = (index: number): string =>
    join(directory, `model-0000${index}-of-00002.safetensors`);
  const indexPath = (): string => join(directory, 'model.safetensors.index.json');
  const sharded = () =>
    writeShardedSafetensors(directory, four, { maximumShardBytes: 32 });

  it('splits by size with an index and reads it back', async () => {
    expect(await sharded()).toHaveLength(3);
    const index = JSON.parse(await readFile(indexPath(), 'utf8'));
    expect(index.metadata.total_size).toBe(64);
    expect(index.weight_map.ccc).toBe('model-00002-of-00002.safetensors');
    const source = await openSafetensors(directory);
    expect(source.names).toEqual(['a', 'bb', 'ccc', 'dddd']);
    expect([...(await source.read('ccc')).data]).toEqual([1, 2, 3, 3]);
    expect(source.byteLength).toBe(64);
    await rm(indexPath());
    expect((await openSafetensors(directory)).names).toHaveLength(4);
  });

  it('writes one file when everything fits', async () => {
    expect(await writeShardedSafetensors(directory, four)).toEqual(['model.safetensors']);
    expect((await openSafetensors(directory)).files).toHaveLength(1);
  });

  it('names a missing shard, with and without an index', async () => {
    await sharded();
    await rm(shard(2));
    await expect(openSafetensors(directory)).rejects.toThrow(
      /00002-of.*"ccc".*no such file/,
    );
    await rm(indexPath());
    await expect(openSafetensors(directory)).rejects.toThrow(/00002-of.*no such file/);
  });

  it('names a tensor that two shards hold', async () => {
    await sharded();
    await writeSafetensors(shard(2), [tensor('ccc'), tensor('dddd'), tensor('a')]);
    await expect(openSafetensors(directory)).rejects.toThrow(/tensor "a".*00001-of/);
  });

  it('names a tensor that the index places wrongly', async () => {
    await sharded();
    await writeSafetensors(shard(2), [tensor('ccc')]);
    await expect(openSafetensors(directory)).rejects.toThrow(/00002.*tensor "dddd"/);
  });

  it('refuses a truncated shard, an empty directory and an index that points outside', async () => {
    await expect(openSafetensors(directory)).rejects.toThrow(/empty directory/);
    await sharded();
    await truncate(shard(1), (await stat(shard(1))).size - 4);
    await expect(openSafetensors(directory)).rejects.toThrow(/00001.*truncated/);
    await writeFile(indexPath(), '{"weight_map":{"a":"../a.safetensors"}}');
    await expect(openSafetensors(directory)).rejects.toThrow(/in this directory/);
    await writeFile(indexPath(), '{"weight_map":{}}');
    await expect(openSafetensors(directory)).rejects.toBeInstanceOf(AssayError);
  });

  it('hashes content and names, not places', async () => {
    await sharded();
    const { files } = await openSafetensors(directory);
    const hash = await sha256OfFiles(files);
    expect(await sha256OfFiles([...files].reverse())).toBe(hash);
    const lines = await Promise.all(
      files.map(
        async (file) => `${file.split('/').at(-1)}\0${sha256(await readFile(file))}\n`,
      ),
    );
    expect(hash).toBe(sha256(lines.join('')));
  });
});
