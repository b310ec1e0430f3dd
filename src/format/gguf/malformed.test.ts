import { writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InvalidFileError } from '../../error.ts';
import { mutate, seededIntegers } from '../mutations.ts';
import {
  encodeBlocks,
  type GgufTensorToWrite,
  type GgufValue,
  openGguf,
  writeGguf,
} from './index.ts';

let root = '';
let path = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'assay-gguf-malformed-'));
  path = join(root, 'x.gguf');
});
afterAll(() => rm(root, { recursive: true, force: true }));

const values: [string, GgufValue][] = [
  ['general.architecture', { type: 'string', value: 'llama' }],
  ['general.alignment', { type: 'uint32', value: 32 }],
  ['u64', { type: 'uint64', value: 5n }],
  ['yes', { type: 'bool', value: true }],
  ['words', { type: 'array', of: 'string', value: ['a', '', 'ü'] }],
  ['scores', { type: 'array', of: 'float32', value: Float32Array.of(1, -2) }],
  [
    'nested',
    { type: 'array', of: 'array', value: [{ type: 'array', of: 'bool', value: [true] }] },
  ],
];

const codes = Uint8Array.from({ length: 64 }, (_, index) => index % 16);
const tensors: GgufTensorToWrite[] = [
  { name: 'a', type: 'F32', shape: [3], data: new Uint8Array(12) },
  {
    name: 'q',
    type: 'Q4_0',
    shape: [2, 32],
    data: encodeBlocks('Q4_0', codes, Float32Array.of(1, 2), null),
  },
  { name: 'h', type: 'F16', shape: [2, 1, 2], data: new Uint8Array(8) },
];

describe('malformed files', () => {
  const start = (count: bigint, keys: bigint, version = 3): Buffer =>
    Buffer.concat([
      Buffer.from('GGUF'),
      Buffer.from(Uint32Array.of(version).buffer),
      Buffer.from(BigUint64Array.of(count, keys).buffer),
    ]);
  const key = (name: string, type: number, ...rest: Uint8Array[]): Buffer =>
    Buffer.concat([
      Buffer.from(BigUint64Array.of(BigInt(name.length)).buffer),
      Buffer.from(name),
      Buffer.from(Uint32Array.of(type).buffer),
      ...rest,
    ]);
  const u32 = (value: number): Uint8Array => Buffer.from(Uint32Array.of(value).buffer);
  const u64 = (value: bigint): Uint8Array => Buffer.from(BigUint64Array.of(value).buffer);
  const room = Buffer.alloc(4096);
  const arrayOfArrays = (depth: number): Uint8Array[] =>
    Array.from({ length: depth }, () => [u32(9), u64(1n)]).flat();
  const cases: [string, Buffer, RegExp][] = [
    ['another magic', Buffer.from('GGML'), /magic/],
    ['version 1', start(0n, 0n, 1), /2 or 3/],
    ['the other byte order', start(0n, 0n, 0x03000000), /little-endian/],
    ['too many tensors', start(2n ** 60n, 0n), /tensor count/],
    ['too many keys', start(0n, 2n ** 63n), /key count/],
    [
      'a key twice',
      Buffer.concat([start(0n, 2n), key('k', 0, Buffer.of(1)), key('k', 0, room)]),
      /new name/,
    ],
    [
      'an unknown value type',
      Buffer.concat([start(0n, 1n), key('k', 13, room)]),
      /value type/,
    ],
    [
      'a string beyond the file',
      Buffer.concat([start(0n, 1n), key('k', 8, u64(2n ** 62n), room)]),
      /k length/,
    ],
    [
      'an array beyond the file',
      Buffer.concat([start(0n, 1n), key('k', 9, u32(12), u64(2n ** 61n), room)]),
      /at most/,
    ],
    [
      'deep arrays',
      Buffer.concat([start(0n, 1n), key('k', 9, ...arrayOfArrays(9), room)]),
      /nested/,
    ],
    [
      'an alignment of 24',
      Buffer.concat([start(0n, 1n), key('general.alignment', 4, u32(24))]),
      /power of two/,
    ],
    [
      'five dimensions',
      Buffer.concat([start(1n, 0n), u64(1n), Buffer.from('t'), u32(5), room]),
      /dimensions/,
    ],
    [
      'an overflow',
      Buffer.concat([
        start(1n, 0n),
        u64(1n),
        Buffer.from('t'),
        u32(2),
        u64(2n ** 50n),
        u64(2n ** 50n),
        u32(0),
        u64(0n),
        room,
      ]),
      /2\^53/,
    ],
    [
      'half a block',
      Buffer.concat([
        start(1n, 0n),
        u64(1n),
        Buffer.from('t'),
        u32(1),
        u64(33n),
        u32(2),
        u64(0n),
        room,
      ]),
      /whole Q4_0 blocks/,
    ],
    [
      'a hole',
      Buffer.concat([
        start(1n, 0n),
        u64(1n),
        Buffer.from('t'),
        u32(1),
        u64(1n),
        u32(0),
        u64(64n),
        room,
      ]),
      /offset 0/,
    ],
    [
      'too little data',
      Buffer.concat([
        start(1n, 0n),
        u64(1n),
        Buffer.from('t'),
        u32(1),
        u64(4096n),
        u32(0),
        u64(0n),
        room,
      ]),
      /truncated/,
    ],
    [
      'too much data',
      Buffer.concat([
        start(1n, 0n),
        u64(1n),
        Buffer.from('t'),
        u32(1),
        u64(4n),
        u32(0),
        u64(0n),
        room,
      ]),
      /file.*bytes/,
    ],
    [
      'an unknown tensor type',
      Buffer.concat([
        start(1n, 0n),
        u64(1n),
        Buffer.from('t'),
        u32(1),
        u64(4n),
        u32(99),
        u64(0n),
        room,
      ]),
      /type 99/,
    ],
  ];
  it.each(cases)('refuses %s', async (_, bytes, message) => {
    await writeFile(path, bytes);
    await expect(openGguf(path)).rejects.toThrow(message);
    await expect(openGguf(path)).rejects.toBeInstanceOf(InvalidFileError);
  });

  it('answers 3000 damaged files with tensors or a typed error', async () => {
    await writeGguf(path, { metadata: values, tensors });
    const whole = await readFile(path);
    // The head is what can lie; it ends where the data of 128 bytes begins.
    const headBytes = whole.length - 128;
    const head = whole.subarray(0, headBytes);
    const integer = seededIntegers(2);
    let refused = 0;
    for (let round = 0; round < 3000; round++) {
      writeFileSync(
        path,
        Buffer.concat([mutate(head, integer), whole.subarray(headBytes)]),
      );
      try {
        const file = await openGguf(path);
        for (const { name } of file.tensors) await file.read(name);
      } catch (error) {
        if (!(error instanceof InvalidFileError)) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1000);
  });
});
