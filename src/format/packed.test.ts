import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../array/onnx/index.ts';
import type { QuantizedMatrix } from '../array/quantized.ts';
import { openSession } from '../array/session.ts';
import { InvalidFileError, InvalidInputError } from '../error.ts';
import { seededIntegers } from './mutations.ts';
import {
  packAwq,
  packBits,
  packGptq,
  packMatMulNBits,
  unpackAwq,
  unpackBits,
  unpackGptq,
  unpackMatMulNBits,
} from './packed.ts';
import {
  checkQuantizedMatrix,
  dequantizedValues,
  widenCodes,
} from './quantized-matrix.ts';

interface Wish {
  readonly outputs: number;
  readonly inputs: number;
  readonly bits: number;
  readonly groupSize: number;
  readonly symmetric?: boolean;
  readonly seed?: number;
  readonly leastZero?: number;
}

function randomMatrix(wish: Wish): QuantizedMatrix {
  const { outputs, inputs, bits, groupSize, symmetric = false, leastZero = 0 } = wish;
  const integer = seededIntegers(wish.seed ?? 1);
  const groups = outputs * Math.ceil(inputs / groupSize);
  const limit = 2 ** bits;
  return {
    shape: [outputs, inputs],
    bits,
    groupSize,
    codes: Uint8Array.from({ length: outputs * inputs }, () => integer(limit)),
    scales: Float32Array.from({ length: groups }, () => (1 + integer(1000)) / 4096),
    zeros: Uint8Array.from({ length: groups }, () =>
      symmetric ? limit / 2 : leastZero + integer(limit - leastZero),
    ),
    symmetric,
    perTensor: false,
  };
}

const everyBits = [2, 3, 4, 5, 6, 7, 8];

describe('packBits', () => {
  it('lays codes out lowest bit first and gives them back', () => {
    expect([...packBits(Uint8Array.of(1, 2, 15), 4)]).toEqual([0x21, 0x0f]);
    // 3 bits: 101 then 110 then 011: the third straddles the byte.
    expect([...packBits(Uint8Array.of(5, 6, 3), 3)]).toEqual([0b11110101, 0]);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.uint8Array({ maxLength: 100 }),
        (bits, values) => {
          const codes = values.map((value) => value & (2 ** bits - 1));
          expect(unpackBits(packBits(codes, bits), bits, codes.length)).toEqual(codes);
        },
      ),
      { seed: 1 },
    );
  });
});

describe('widenCodes', () => {
  it('keeps the weights and symmetry', () => {
    for (const symmetric of [true, false]) {
      const matrix = randomMatrix({
        outputs: 3,
        inputs: 64,
        bits: 3,
        groupSize: 32,
        symmetric,
      });
      for (const bits of [3, 4, 8]) {
        const wide = widenCodes(matrix, bits);
        checkQuantizedMatrix(wide);
        expect(dequantizedValues(wide)).toEqual(dequantizedValues(matrix));
        expect(wide.zeros.every((zero) => zero === 2 ** (bits - 1))).toBe(symmetric);
      }
      expect(() => widenCodes(matrix, 2)).toThrow(InvalidInputError);
    }
  });
});

describe('GPTQ', () => {
  it.each(everyBits)('gives a %i-bit matrix back, in both zero formats', (bits) => {
    for (const zeros of ['v1', 'v2'] as const) {
      for (const groupSize of [32, 64, 96]) {
        const wish = { outputs: 64, inputs: 96, bits, groupSize, seed: bits };
        const matrix = randomMatrix({ ...wish, leastZero: zeros === 'v1' ? 1 : 0 });
        const packed = packGptq(matrix, zeros);
        expect(packed.exact).toBe(true);
        expect(packed.qweight.shape).toEqual([3 * bits, 64]);
        expect(packed.qzeros.shape).toEqual([Math.ceil(96 / groupSize), 2 * bits]);
        expect(unpackGptq(packed, { bits, groupSize, zeros })).toEqual(matrix);
      }
    }
  });

  it('straddles words as the format says with 3 bits', () => {
    const inputs = 32;
    const matrix = randomMatrix({
      outputs: 32,
      inputs,
      bits: 3,
      groupSize: 32,
      leastZero: 1,
    });
    const { qweight } = packGptq(matrix, 'v1');
    for (const output of [0, 31]) {
      const word = (row: number): number => qweight.data[row * 32 + output]! >>> 0;
      const code = (input: number): number => matrix.codes[output * inputs + input]!;
      for (let input = 0; input < 10; input++) {
        expect((word(0) >>> (3 * input)) & 7).toBe(code(input));
        expect((word(1) >>> (3 * input + 1)) & 7).toBe(code(11 + input));
        expect((word(2) >>> (3 * input + 2)) & 7).toBe(code(22 + input));
      }
      expect((word(0) >>> 30) | ((word(1) & 1) << 2)).toBe(code(10));
      expect((word(1) >>> 31) | ((word(2) & 3) << 1)).toBe(code(21));
    }
  });

  it('stores 4-bit symmetric zero points as 7 in every nibble (v1) or 8 (v2)', () => {
    const wish = { outputs: 32, inputs: 64, bits: 4, groupSize: 32, symmetric: true };
    const matrix = randomMatrix(wish);
    expect(packGptq(matrix, 'v1').qzeros.data.every((word) => word === 0x77777777)).toBe(
      true,
    );
    expect(
      packGptq(matrix, 'v2').qzeros.data.every((word) => word >>> 0 === 0x88888888),
    ).toBe(true);
    expect([...packGptq(matrix, 'v1').g_idx.data.subarray(30, 34)]).toEqual([0, 0, 1, 1]);
  });

  it('refuses what the layout cannot hold', () => {
    const wish = { outputs: 32, inputs: 64, bits: 4, groupSize: 32, symmetric: true };
    const good = randomMatrix(wish);
    const withZero = { ...good, zeros: good.zeros.with(1, 0) };
    expect(() => packGptq(withZero, 'v1')).toThrow(/zero points of at least 1.*use v2/);
    expect(() => packGptq({ ...good, scales: good.scales.with(0, 1e6) }, 'v1')).toThrow(
      /float16/,
    );
    expect(() => packGptq({ ...good, scales: good.scales.with(0, 1e-9) }, 'v1')).toThrow(
      /float16/,
    );
    expect(packGptq({ ...good, scales: good.scales.with(0, 0.1) }, 'v1').exact).toBe(
      false,
    );
    expect(() =>
      packGptq(randomMatrix({ ...wish, inputs: 48, groupSize: 16 }), 'v1'),
    ).toThrow(InvalidInputError);
    expect(() => packGptq({ ...good, codes: good.codes.with(7, 16) }, 'v1')).toThrow(
      /codes\[7\]/,
    );
  });

  it('refuses to unpack tensors that disagree', () => {
    const wish = { outputs: 32, inputs: 64, bits: 4, groupSize: 32, symmetric: true };
    const packed = packGptq(randomMatrix(wish), 'v1');
    const options = { bits: 4, groupSize: 32, zeros: 'v1' } as const;
    expect(() => unpackGptq(packed, { ...options, groupSize: 64 })).toThrow(
      InvalidFileError,
    );
    expect(() => unpackGptq(packed, { ...options, bits: 3 })).toThrow(InvalidFileError);
    const ordered = { ...packed.g_idx, data: packed.g_idx.data.with(3, 1) };
    expect(() => unpackGptq({ ...packed, g_idx: ordered }, options)).toThrow(
      /g_idx\[3\]/,
    );
    const full = { ...packed.qzeros, data: packed.qzeros.data.with(0, -1) };
    expect(() => unpackGptq({ ...packed, qzeros: full }, options)).toThrow(
      /zero points below/,
    );
  });
});

describe('AWQ', () => {
  it('gives a matrix back', () => {
    for (const groupSize of [16, 32, 64]) {
      const matrix = randomMatrix({ outputs: 24, inputs: 64, bits: 4, groupSize });
      const packed = packAwq(matrix);
      expect(packed.qweight.shape).toEqual([64, 3]);
      expect(unpackAwq(packed)).toEqual(matrix);
    }
  });

  it('interleaves eight outputs in a word', () => {
    const matrix: QuantizedMatrix = {
      shape: [8, 1],
      bits: 4,
      groupSize: 1,
      codes: Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7),
      scales: new Float32Array(8).fill(1),
      zeros: Uint8Array.of(8, 9, 10, 11, 12, 13, 14, 15),
      symmetric: false,
      perTensor: false,
    };
    const { qweight, qzeros } = packAwq(matrix);
    expect(qweight.data[0]! >>> 0).toBe(0x75316420);
    expect(qzeros.data[0]! >>> 0).toBe(0xfdb9eca8);
  });

  it('refuses other bits and sizes', () => {
    const wish = { outputs: 24, inputs: 64, bits: 3, groupSize: 32 };
    expect(() => packAwq(randomMatrix(wish))).toThrow(/bits.*4/);
    expect(() => packAwq(randomMatrix({ ...wish, bits: 4, outputs: 20 }))).toThrow(
      /outputs % 8/,
    );
    const packed = packAwq(randomMatrix({ ...wish, bits: 4 }));
    const short = { ...packed.scales, shape: [1, 24] };
    expect(() => unpackAwq({ ...packed, scales: short })).toThrow(InvalidFileError);
  });
});

describe('MatMulNBits', () => {
  const wishes: Wish[] = [
    { outputs: 5, inputs: 64, bits: 4, groupSize: 32 },
    { outputs: 5, inputs: 64, bits: 4, groupSize: 16, symmetric: true },
    { outputs: 3, inputs: 172, bits: 4, groupSize: 172 },
    { outputs: 3, inputs: 96, bits: 8, groupSize: 48 },
    { outputs: 3, inputs: 80, bits: 8, groupSize: 32 },
    { outputs: 4, inputs: 128, bits: 2, groupSize: 64 },
    { outputs: 4, inputs: 128, bits: 3, groupSize: 32 },
    { outputs: 4, inputs: 128, bits: 5, groupSize: 128 },
  ];

  it.each(wishes)('gives back the same weights: %o', (wish) => {
    const matrix = randomMatrix(wish);
    const weights = packMatMulNBits(matrix);
    const back = unpackMatMulNBits(weights);
    expect(back.codes).toEqual(matrix.codes);
    expect(dequantizedValues(back)).toEqual(dequantizedValues(matrix));
    expect(weights.zeroPoints === null).toBe(wish.symmetric ?? false);
  });

  it('puts the first code of a pair into the low nibble', () => {
    const matrix = randomMatrix({ outputs: 1, inputs: 16, bits: 4, groupSize: 16 });
    const { blocks } = packMatMulNBits(matrix);
    expect(blocks.shape).toEqual([1, 1, 8]);
    expect(blocks.data[0]).toBe(matrix.codes[0]! | (matrix.codes[1]! << 4));
  });

  it('refuses groups that no block divides', () => {
    const wish = { outputs: 2, inputs: 64, bits: 4, groupSize: 8 };
    expect(() => packMatMulNBits(randomMatrix(wish))).toThrow(/multiple of 16/);
  });

  // The runtime itself is the judge of the layout.
  it.each(wishes.filter((wish) => [2, 4, 8].includes(wish.bits)))(
    'multiplies in ONNX Runtime as the dequantized matrix does: %o',
    async (wish) => {
      const matrix = randomMatrix(wish);
      const weights = packMatMulNBits(matrix);
      const graph = new GraphBuilder();
      const { inFeatures: K, outFeatures: N } = weights;
      const inputs = [
        graph.input('x', 'float32', [2, K]),
        graph.initializer(weights.blocks),
        graph.initializer(weights.scales),
        ...(weights.zeroPoints ? [graph.initializer(weights.zeroPoints)] : []),
      ];
      const attributes = { K, N, bits: weights.bits, block_size: weights.blockSize };
      const [y] = graph.node('MatMulNBits', inputs, attributes, {
        domain: 'com.microsoft',
      });
      graph.output(y!, 'float32', [2, N]);
      const session = await openSession(graph.encode(), { threads: 1 });
      const integer = seededIntegers(9);
      const x = Float32Array.from({ length: 2 * K }, () => integer(200) / 100 - 1);
      const result = await session.run({
        x: { dtype: 'float32', shape: [2, K], data: x },
      });
      await session.release();
      const values = dequantizedValues(matrix);
      for (let row = 0; row < 2; row++) {
        for (let output = 0; output < N; output++) {
          let sum = 0;
          for (let k = 0; k < K; k++) sum += x[row * K + k]! * values[output * K + k]!;
          expect(Number(result[y!]!.data[row * N + output])).toBeCloseTo(sum, 3);
        }
      }
    },
  );
});

it('refuses in the layouts of other programs what divides its input, and bad input scales', () => {
  const plain = randomMatrix({ outputs: 32, inputs: 32, bits: 4, groupSize: 32 });
  const scaled = { ...plain, inputScales: new Float32Array(32).fill(0.5) };
  expect(() => packGptq(scaled, 'v2')).toThrow('GPTQ layout has no place');
  expect(() => packAwq(scaled)).toThrow('AWQ layout has no place');
  for (const wrong of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 0.1]) {
    const inputScales = scaled.inputScales.slice();
    inputScales[5] = wrong;
    expect(() => checkQuantizedMatrix({ ...plain, inputScales })).toThrow(
      'inputScales[5]',
    );
  }
  const short = { ...plain, inputScales: new Float32Array(31).fill(1) };
  expect(() => checkQuantizedMatrix(short)).toThrow('32 scales');
});
