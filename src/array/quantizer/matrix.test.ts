/** Weight grids: exact small cases, error bounds, grouping, refusal of bad weights. */

import { describe, expect, it } from 'vitest';
import { createRandom } from '../random.ts';
import { float32, type Tensor } from '../tensor.ts';
import { type Grid, type GridKind, grid } from './grid.ts';
import {
  dequantizeMatrix,
  type Grouping,
  quantizeMatrix,
  relativeError,
  roundTrip,
} from './matrix.ts';
import { bitsPerWeight, matrixBytes, matrixSize } from './size.ts';

function randomMatrix(rows: number, columns: number, seed = 1): Tensor {
  const random = createRandom(seed);
  return float32([rows, columns], new Float32Array(rows * columns).map(random.normal));
}

function back(values: number[], chosen: Grid): number[] {
  const matrix = quantizeMatrix(
    float32([1, values.length], Float32Array.from(values)),
    chosen,
    'row',
  );
  return [...dequantizeMatrix(matrix).data];
}

const kinds: GridKind[] = ['group-asymmetric', 'group-symmetric', 'affine', 'symmetric'];

describe('the group grid', () => {
  it('is exact on [0, 1, 2, 3] at 2 bits', () => {
    const weight = float32([1, 4], Float32Array.of(0, 1, 2, 3));
    const matrix = quantizeMatrix(weight, grid({ bits: 2, scales: 'float32' }), 4);
    expect([...matrix.scales, ...matrix.zeros]).toEqual([1, 0]);
    expect([...dequantizeMatrix(matrix).data]).toEqual([0, 1, 2, 3]);
  });

  it('loses a constant row as the official quantizer does, unless 0 is included', () => {
    const row = [5, 5, 5, 5];
    const official = grid({ bits: 4, scales: 'float32' });
    for (const value of back(row, official)) expect(value).toBeCloseTo(1e-5, 10);
    expect(back(row, { ...official, includeZero: true })).toEqual(row);
  });

  it('clamps the zero point of all-positive groups instead of widening the range', () => {
    const matrix = quantizeMatrix(
      float32([1, 2], Float32Array.of(10, 11)),
      grid({ bits: 2, scales: 'float32' }),
      2,
    );
    expect(matrix.zeros[0]).toBe(0);
    expect([...matrix.codes]).toEqual([3, 3]);
  });
});

describe.each(kinds)('grid %s', (kind) => {
  it.each([2, 3, 4, 8])('stays within half a step at %d bits', (bits) => {
    const weight = randomMatrix(8, 64);
    const chosen = grid({ bits, kind, scales: 'float32' });
    const matrix = quantizeMatrix(weight, chosen, 16);
    const restored = dequantizeMatrix(matrix).data;
    for (let index = 0; index < restored.length; index++) {
      const group = Math.floor(index / 16);
      const scale = matrix.scales[group];
      const lowest = (0 - matrix.zeros[group]) * scale;
      const highest = (2 ** bits - 1 - matrix.zeros[group]) * scale;
      const nearest = Math.min(Math.max(weight.data[index], lowest), highest);
      expect(Math.abs(restored[index] - nearest)).toBeLessThanOrEqual(
        scale * 0.5 * (1 + 1e-5),
      );
    }
  });

  it('gives the same numbers in one pass without codes', () => {
    const weight = randomMatrix(4, 32);
    for (const scales of ['float16', 'float32'] as const) {
      const chosen = grid({ bits: 3, kind, scales });
      const codes = quantizeMatrix(weight, chosen, 8);
      expect(roundTrip(weight.data, 8, chosen)).toEqual(dequantizeMatrix(codes).data);
    }
  });

  it('keeps float16 scales exact in float16 and never 0', () => {
    const weight = randomMatrix(4, 32);
    weight.data.fill(0, 0, 8);
    const matrix = quantizeMatrix(weight, grid({ bits: 8, kind }), 8);
    for (const scale of matrix.scales) {
      expect(Math.f16round(scale)).toBe(scale);
      expect(scale).toBeGreaterThan(0);
    }
    expect([...dequantizeMatrix(matrix).data.subarray(0, 8)]).toEqual(Array(8).fill(0));
  });

  it('does not change its input', () => {
    const weight = randomMatrix(2, 16);
    const before = weight.data.slice();
    roundTrip(weight.data, 8, grid({ bits: 4, kind }));
    quantizeMatrix(weight, grid({ bits: 4, kind }), 'tensor');
    expect(weight.data).toEqual(before);
  });
});

it('leaves out the lowest code of a restricted symmetric grid', () => {
  // AWQ's symmetric scale is 1/7, so that -1.09 would reach code -8 when it may.
  const weight = float32([1, 3], Float32Array.of(-1, 1, -0.02));
  const wide = quantizeMatrix(weight, grid({ bits: 2, kind: 'symmetric' }), 'row');
  expect([...wide.codes]).toEqual([1, 3, 2]);
  const codes = quantizeMatrix(
    randomMatrix(16, 64),
    grid({ bits: 4, kind: 'symmetric', restrictedRange: true }),
    'row',
  ).codes;
  expect(Math.min(...codes)).toBe(1);
});

it('gives per-channel the per-tensor result when channels are alike', () => {
  const row = randomMatrix(1, 32).data;
  const weight = float32([3, 32], Float32Array.from([...row, ...row, ...row]));
  for (const kind of kinds) {
    const whole = quantizeMatrix(weight, grid({ bits: 4, kind }), 'tensor');
    const rows = quantizeMatrix(weight, grid({ bits: 4, kind }), 'row');
    expect(whole.perTensor).toBe(true);
    expect(rows).toEqual({ ...whole, perTensor: false });
  }
});

it('reports a smaller error for more bits and for smaller groups', () => {
  const weight = randomMatrix(16, 128);
  const error = (bits: number, grouping: Grouping) =>
    relativeError(weight, quantizeMatrix(weight, grid({ bits }), grouping));
  expect(error(8, 32)).toBeLessThan(error(4, 32));
  expect(error(4, 32)).toBeLessThan(error(3, 32));
  expect(error(3, 32)).toBeLessThan(error(3, 'row'));
  expect(error(3, 'row')).toBeLessThan(error(3, 'tensor'));
});

it('counts stored bits exactly', () => {
  const weight = randomMatrix(6, 32);
  const matrix = quantizeMatrix(weight, grid({ bits: 3 }), 8);
  expect(matrixSize(matrix)).toEqual({
    weights: 192,
    codeBits: 576,
    scaleBits: 24 * 16,
    zeroBits: 24 * 3,
  });
  expect(matrixBytes(matrix)).toBe(72 + 48 + 9);
  expect(bitsPerWeight([matrix])).toBe(3 + 19 / 8);
  const symmetric = quantizeMatrix(
    weight,
    grid({ bits: 4, kind: 'symmetric' }),
    'tensor',
  );
  expect(bitsPerWeight([symmetric])).toBe(4 + 16 / 192);
  expect(bitsPerWeight([])).toBe(0);
});

describe('refusals', () => {
  const good = grid({ bits: 4 });
  it('names the matrix and the place of NaN and infinity', () => {
    for (const bad of [Number.NaN, Infinity, -Infinity]) {
      const weight = randomMatrix(2, 8);
      weight.data[5] = bad;
      expect(() => quantizeMatrix(weight, good, 4, 'q_proj')).toThrow(
        `q_proj: expected finite numbers, got ${bad} at element 5`,
      );
    }
  });

  it('names the group that does not divide', () => {
    expect(() => quantizeMatrix(randomMatrix(1, 100), good, 128)).toThrow(
      'group 128 does not divide in_features 100',
    );
  });

  it('refuses other ranks, bits and scales beyond float16', () => {
    expect(() => quantizeMatrix(float32([8]), good, 4)).toThrow('shape [8]');
    expect(() => grid({ bits: 1 })).toThrow('bits');
    expect(() => grid({ bits: 4.5 })).toThrow('bits');
    const huge = float32([1, 2], Float32Array.of(-3e38, 3e38));
    expect(() => quantizeMatrix(huge, good, 'row')).toThrow('largest float16');
  });
});

it('divides the columns by the scales of the inputs, two bytes each on disk', () => {
  const plain = {
    ...quantizeMatrix(randomMatrix(2, 4), grid({ bits: 4 }), 2),
    codes: Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 15),
    scales: Float32Array.of(0.5, 2, 1, 0.25),
    zeros: Uint8Array.of(1, 2, 4, 7),
  };
  const scaled = { ...plain, inputScales: Float32Array.of(1, 2, 4, 0.5) };
  expect([...dequantizeMatrix(scaled).data]).toEqual([-0.5, 0, 0, 4, 0, 0.5, -0.0625, 4]);
  expect(matrixBytes(scaled) - matrixBytes(plain)).toBe(2 * 4);
  expect(bitsPerWeight([scaled]) - bitsPerWeight([plain])).toBe((16 * 4) / 8);
});
