/** Integer products against a plain loop and against ONNX Runtime's integer operators. */

import { expect, it } from 'vitest';
import { GraphBuilder } from '../onnx/index.ts';
import { createRandom } from '../random.ts';
import { openSession } from '../session.ts';
import type { AnyTensor } from '../tensor.ts';
import { fixedPointScale } from './fixed-point.ts';
import {
  type CodeMatrix,
  integerProduct,
  requantize,
  transposeCodes,
} from './integer-matmul.ts';

const random = createRandom(5);

function codes(rows: number, columns: number): CodeMatrix & { codes: Uint8Array } {
  const values = new Uint8Array(rows * columns).map(() => random.integer(256));
  return { rows, columns, codes: values, zero: random.integer(256) };
}

const uint8 = (shape: number[], data: Uint8Array): AnyTensor => ({
  dtype: 'uint8',
  shape,
  data,
});

it.each([
  [1, 7, 3],
  [5, 33, 9],
  [4, 300, 8],
])('equals a plain loop at %d x %d x %d', (rows, depth, columns) => {
  const left = codes(rows, depth);
  const right = codes(columns, depth);
  const zeros = Int32Array.from({ length: columns }, () => random.integer(256));
  const product = integerProduct(left, right, zeros);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (let k = 0; k < depth; k++) {
        sum +=
          (left.codes[row * depth + k] - left.zero) *
          (right.codes[column * depth + k] - zeros[column]);
      }
      expect(product[row * columns + column]).toBe(sum);
    }
  }
});

it('equals MatMulInteger bit for bit', async () => {
  const left = codes(6, 64);
  const right = codes(10, 64);
  const graph = new GraphBuilder();
  graph.input('a', 'uint8', [6, 64]);
  graph.input('b', 'uint8', [64, 10]);
  const y = graph.add('MatMulInteger', [
    'a',
    'b',
    graph.constant(uint8([], Uint8Array.of(left.zero))),
    graph.constant(uint8([], Uint8Array.of(right.zero))),
  ]);
  graph.output(y, 'int32', [6, 10]);
  const session = await openSession(graph.encode());
  const turned = Uint8Array.from(transposeCodes(right.codes, 10, 64));
  const result = await session.run({
    a: uint8([6, 64], left.codes),
    b: uint8([64, 10], turned),
  });
  await session.release();
  expect([...integerProduct(left, right)]).toEqual([...(result[y].data as Int32Array)]);
});

it('agrees with QLinearMatMul within one code, nearly always exactly', async () => {
  const [rows, depth, columns] = [32, 64, 16];
  const left = codes(rows, depth);
  const right = codes(columns, depth);
  const scales = { a: 0.02, b: 0.01, y: 0.3 };
  const zero = 128;
  const graph = new GraphBuilder();
  graph.input('a', 'uint8', [rows, depth]);
  graph.input('b', 'uint8', [depth, columns]);
  const scalar = (value: number) =>
    graph.constant({ dtype: 'float32', shape: [], data: Float32Array.of(value) });
  const point = (value: number) => graph.constant(uint8([], Uint8Array.of(value)));
  const y = graph.add('QLinearMatMul', [
    'a',
    scalar(scales.a),
    point(left.zero),
    'b',
    scalar(scales.b),
    point(right.zero),
    scalar(scales.y),
    point(zero),
  ]);
  graph.output(y, 'uint8', [rows, columns]);
  const session = await openSession(graph.encode());
  const result = await session.run({
    a: uint8([rows, depth], left.codes),
    b: uint8(
      [depth, columns],
      Uint8Array.from(transposeCodes(right.codes, columns, depth)),
    ),
  });
  await session.release();
  const scale = fixedPointScale((scales.a * scales.b) / scales.y);
  const ours = requantize(integerProduct(left, right), columns, null, [scale], {
    zero,
    lowest: 0,
    highest: 255,
  });
  const theirs = result[y].data as Uint8Array;
  let different = 0;
  for (let index = 0; index < ours.length; index++) {
    const off = Math.abs(ours[index] - theirs[index]);
    expect(off).toBeLessThanOrEqual(1);
    different += off;
  }
  // Ties round away from zero here and to even there.
  expect(different / ours.length).toBeLessThan(0.02);
});

it('refuses sums that could leave an int32 and operands that do not fit', () => {
  const wide = {
    rows: 1,
    columns: 40_000,
    codes: new Uint8Array(40_000).fill(255),
    zero: 0,
  };
  expect(() => integerProduct(wide, wide)).toThrow('int32 accumulator');
  expect(() => integerProduct(codes(1, 3), codes(1, 4))).toThrow('right');
});
