import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { QuantizedMatrix } from '../../array/quantized.ts';
import { InvalidInputError } from '../../error.ts';
import { seededIntegers } from '../mutations.ts';
import { dequantizedValues } from '../quantized-matrix.ts';
import {
  decodeBlocks,
  encodeBlocks,
  type GgufTensorToWrite,
  type GgufValue,
  ggufMatrix,
  ggufTypeOf,
  openGguf,
  writeGguf,
} from './index.ts';

let root = '';
let path = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'assay-gguf-'));
  path = join(root, 'x.gguf');
});
afterAll(() => rm(root, { recursive: true, force: true }));

const everyValue: [string, GgufValue][] = [
  ['general.architecture', { type: 'string', value: 'llama é' }],
  ['u8', { type: 'uint8', value: 255 }],
  ['i8', { type: 'int8', value: -128 }],
  ['u16', { type: 'uint16', value: 65535 }],
  ['i16', { type: 'int16', value: -32768 }],
  ['u32', { type: 'uint32', value: 4294967295 }],
  ['i32', { type: 'int32', value: -2147483648 }],
  ['u64', { type: 'uint64', value: 2n ** 64n - 1n }],
  ['i64', { type: 'int64', value: -(2n ** 63n) }],
  ['f32', { type: 'float32', value: 0.5 }],
  ['f64', { type: 'float64', value: 0.1 }],
  ['yes', { type: 'bool', value: true }],
  ['words', { type: 'array', of: 'string', value: ['a', '', 'ü'] }],
  ['flags', { type: 'array', of: 'bool', value: [true, false] }],
  ['scores', { type: 'array', of: 'float32', value: Float32Array.of(1, -2) }],
  ['ids', { type: 'array', of: 'int32', value: Int32Array.of(1, -2) }],
  ['longs', { type: 'array', of: 'int64', value: BigInt64Array.of(-3n) }],
  ['ulongs', { type: 'array', of: 'uint64', value: BigUint64Array.of(3n) }],
  [
    'nested',
    {
      type: 'array',
      of: 'array',
      value: [
        { type: 'array', of: 'uint8', value: Uint8Array.of(1) },
        { type: 'array', of: 'string', value: [] },
      ],
    },
  ],
];

function matrixOf(
  bits: number,
  options: { symmetric: boolean; groupSize?: number; inputs?: number },
): QuantizedMatrix {
  const { symmetric, groupSize = 32, inputs = 96 } = options;
  const integer = seededIntegers(bits);
  const groups = 3 * Math.ceil(inputs / groupSize);
  const limit = 2 ** bits;
  return {
    shape: [3, inputs],
    bits,
    groupSize,
    codes: Uint8Array.from({ length: 3 * inputs }, () => integer(limit)),
    scales: Float32Array.from({ length: groups }, () => (1 + integer(1000)) / 4096),
    zeros: Uint8Array.from({ length: groups }, () =>
      symmetric ? limit / 2 : integer(limit),
    ),
    symmetric,
    perTensor: false,
  };
}

const bytesOf = (data: Float32Array | Uint16Array | Float16Array): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

function someTensors(): GgufTensorToWrite[] {
  const q4 = ggufMatrix(matrixOf(4, { symmetric: true }));
  return [
    { name: 'a', type: 'F32', shape: [3], data: bytesOf(Float32Array.of(1, 2, 3)) },
    { name: 'q', type: q4.type, shape: [3, 96], data: q4.data },
    {
      name: 'h',
      type: 'F16',
      shape: [2, 1, 2],
      data: bytesOf(Float16Array.of(1, 2, 3, 4)),
    },
    {
      name: 'b',
      type: 'BF16',
      shape: [1],
      data: async () => bytesOf(Uint16Array.of(0x3fc0)),
    },
  ];
}

describe('a file', () => {
  it('returns every value type and every tensor', async () => {
    await writeGguf(path, { metadata: everyValue, tensors: someTensors() });
    const file = await openGguf(path);
    expect([...file.metadata]).toEqual(everyValue);
    expect(file.tensors.map(({ name, shape }) => [name, shape])).toEqual([
      ['a', [3]],
      ['q', [3, 96]],
      ['h', [2, 1, 2]],
      ['b', [1]],
    ]);
    expect([...(await file.read('a')).data]).toEqual([1, 2, 3]);
    expect([...(await file.read('h')).data]).toEqual([1, 2, 3, 4]);
    expect([...(await file.read('b')).data]).toEqual([1.5]);
    expect((await file.read('q')).data).toEqual(
      dequantizedValues(matrixOf(4, { symmetric: true })),
    );
    await expect(file.read('none')).rejects.toBeInstanceOf(InvalidInputError);
  });

  it('has the layout of the format, byte by byte', async () => {
    const tensors = [
      { name: 't', type: 'F32', shape: [1, 2], data: bytesOf(Float32Array.of(1, 2)) },
    ] as const;
    await writeGguf(path, { metadata: [['k', { type: 'uint8', value: 7 }]], tensors });
    const bytes = await readFile(path);
    const expected = Buffer.concat([
      Buffer.from('GGUF'),
      Buffer.from(Uint32Array.of(3).buffer),
      Buffer.from(BigUint64Array.of(1n, 1n).buffer),
      Buffer.from(BigUint64Array.of(1n).buffer),
      Buffer.from('k'),
      Buffer.from(Uint32Array.of(0).buffer),
      Buffer.of(7),
      Buffer.from(BigUint64Array.of(1n).buffer),
      Buffer.from('t'),
      Buffer.from(Uint32Array.of(2).buffer),
      Buffer.from(BigUint64Array.of(2n, 1n).buffer),
      Buffer.from(Uint32Array.of(0).buffer),
      Buffer.from(BigUint64Array.of(0n).buffer),
    ]);
    expect(bytes.subarray(0, expected.length).equals(expected)).toBe(true);
    expect(bytes.length).toBe(Math.ceil(expected.length / 32) * 32 + 32);
    expect(bytes.readFloatLE(Math.ceil(expected.length / 32) * 32 + 4)).toBe(2);
  });

  it('honours general.alignment and reads heads longer than the first read', async () => {
    const words = Array.from({ length: 100_000 }, (_, index) => `token number ${index}`);
    const metadata: [string, GgufValue][] = [
      ['general.alignment', { type: 'uint32', value: 256 }],
      ['words', { type: 'array', of: 'string', value: words }],
    ];
    await writeGguf(path, { metadata, tensors: someTensors() });
    const file = await openGguf(path);
    expect(file.tensors.every(({ begin }) => begin % 256 === 0)).toBe(true);
    expect([...(await file.read('a')).data]).toEqual([1, 2, 3]);
    expect(file.metadata.get('words')).toEqual(metadata[1]![1]);
  });

  it('refuses to write what the format cannot say', async () => {
    const refused = async (
      metadata: [string, GgufValue][],
      tensors: GgufTensorToWrite[] = [],
    ): Promise<void> => {
      const work = writeGguf(path, { metadata, tensors });
      await expect(work).rejects.toBeInstanceOf(InvalidInputError);
    };
    const [first] = someTensors();
    await refused([['a', { type: 'uint8', value: 256 }]]);
    await refused([['a', { type: 'int32', value: 0.5 }]]);
    await refused([['a', { type: 'uint64', value: -1n }]]);
    await refused([everyValue[0]!, everyValue[0]!]);
    await refused([['general.alignment', { type: 'uint32', value: 48 }]]);
    await refused([], [first!, first!]);
    await refused([], [{ ...first!, name: 'x'.repeat(64) }]);
    await refused([], [{ ...first!, shape: [1, 1, 1, 1, 3] }]);
    await refused([], [{ ...first!, shape: [4] }]);
    await refused([], [{ ...first!, type: 'Q4_0' }]);
  });
});

describe('blocks', () => {
  it('place bits as ggml does', () => {
    const codes = Uint8Array.from({ length: 32 }, (_, index) => index);
    const q5 = encodeBlocks('Q5_0', codes, Float32Array.of(1), null);
    // Scale 1.0, then the high bits (codes 16 to 31), then low nibbles of j and j + 16.
    expect([...q5.subarray(0, 8)]).toEqual([0x00, 0x3c, 0, 0, 0xff, 0xff, 0x00, 0x11]);
    const low = codes.map((code) => code & 15);
    const q4 = encodeBlocks('Q4_1', low, Float32Array.of(2), Float32Array.of(-1));
    expect([...q4.subarray(0, 6)]).toEqual([0x00, 0x40, 0x00, 0xbc, 0x00, 0x11]);
    const q8 = encodeBlocks('Q8_0', codes, Float32Array.of(1), null);
    expect([...q8.subarray(2, 4)]).toEqual([0x80, 0x81]);
    expect([...decodeBlocks('Q8_0', q8)]).toEqual([...codes].map((code) => code - 128));
    expect([...decodeBlocks('Q5_0', q5)]).toEqual([...codes].map((code) => code - 16));
    expect([...decodeBlocks('Q4_1', q4)]).toEqual([...low].map((code) => code * 2 - 1));
  });

  it('refuse wrong lengths and codes', () => {
    const codes = new Uint8Array(32).fill(16);
    expect(() => encodeBlocks('Q4_0', codes, Float32Array.of(1), null)).toThrow(
      /below 16/,
    );
    expect(() => encodeBlocks('Q5_0', codes, Float32Array.of(1, 2), null)).toThrow(
      /32 codes/,
    );
    expect(() => encodeBlocks('Q5_1', codes, Float32Array.of(1), null)).toThrow(
      /minimums/,
    );
  });
});

describe('quantized matrices', () => {
  it.each([2, 3, 4, 5, 6, 7, 8])('hold %i-bit symmetric weights exactly', (bits) => {
    for (const groupSize of [32, 64, 96]) {
      const matrix = matrixOf(bits, { symmetric: true, groupSize });
      const { type, data, exact } = ggufMatrix(matrix);
      expect(type).toBe(bits <= 4 ? 'Q4_0' : bits === 5 ? 'Q5_0' : 'Q8_0');
      expect(exact).toBe(true);
      expect(decodeBlocks(type, data)).toEqual(dequantizedValues(matrix));
    }
  });

  it('hold affine weights exactly in a wider type, or nearly in a compact one', () => {
    for (const bits of [3, 4, 5]) {
      const matrix = matrixOf(bits, { symmetric: false });
      const values = dequantizedValues(matrix);
      const wide = ggufMatrix(matrix);
      expect(wide.type).toBe(['Q4_0', 'Q5_0', 'Q8_0'][bits - 3]);
      expect(decodeBlocks(wide.type, wide.data)).toEqual(values);
      const compact = ggufMatrix(matrix, 'compact');
      if (bits === 3) continue;
      expect(compact.type).toBe(bits === 4 ? 'Q4_1' : 'Q5_1');
      const decoded = decodeBlocks(compact.type, compact.data);
      const worst = Math.max(
        ...decoded.map((value, index) => Math.abs(value - values[index]!)),
      );
      const largest = Math.max(...matrix.scales) * 2 ** bits;
      expect(worst).toBeLessThan(largest * 2 ** -11);
    }
  });

  it('say when scales are not halves, and when no type fits', () => {
    const matrix = matrixOf(4, { symmetric: true });
    expect(ggufMatrix({ ...matrix, scales: matrix.scales.with(0, 0.1) }).exact).toBe(
      false,
    );
    expect(ggufTypeOf(matrixOf(4, { symmetric: true, groupSize: 16 }))).toBeNull();
    expect(ggufTypeOf(matrixOf(4, { symmetric: true, inputs: 172 }))).toBeNull();
    expect(ggufTypeOf(matrixOf(8, { symmetric: false }))).toBeNull();
    expect(() => ggufMatrix(matrixOf(8, { symmetric: false }))).toThrow(
      InvalidInputError,
    );
  });
});
