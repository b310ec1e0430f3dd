/** Lowers operations on bits, and the random bits that jax-js's `random` is made of. */

import { type DataType, elementCount } from '../tensor.ts';
import { UnsupportedError } from '../unsupported.ts';
import type { LoweringGraph } from './graph.ts';
import type { Lowering, Lowerings } from './lowering.ts';
import { promote, range, type Value } from './value.ts';

const bitwise: Lowering = (graph, inputs, { params, inputTypes }) => {
  const dtype = promote(inputTypes);
  const cast = inputs.map((input) => graph.cast(input, dtype));
  const operators: Record<string, string> =
    dtype === 'bool'
      ? { and: 'And', or: 'Or', xor: 'Xor' }
      : { and: 'BitwiseAnd', or: 'BitwiseOr', xor: 'BitwiseXor' };
  return [graph.elementwise(operators[params.op as string]!, cast, dtype)];
};

/** Shifts as jax-js does: to the right without sign. */
const shift: Lowering = (graph, [x, count], { params }) => {
  const { dtype } = x!;
  const operands = [graph.cast(x!, 'uint32'), graph.cast(count!, 'uint32')];
  const direction = params.op === 'shl' ? 'LEFT' : 'RIGHT';
  const shifted = graph.elementwise('BitShift', operands, 'uint32', { direction });
  return [graph.cast(shifted, dtype)];
};

/** One 32-bit operation on unsigned words that are held in int64. */
class Words {
  readonly #graph: LoweringGraph;

  constructor(graph: LoweringGraph) {
    this.#graph = graph;
  }

  number(value: number): Value {
    return this.#graph.filled(value, 'int64', []);
  }

  op(operator: string, x: Value, y: Value): Value {
    return this.#graph.elementwise(operator, [x, y], 'int64');
  }

  add(x: Value, y: Value): Value {
    return this.op('BitwiseAnd', this.op('Add', x, y), this.number(0xffffffff));
  }

  xor(x: Value, y: Value): Value {
    return this.op('BitwiseXor', x, y);
  }

  /** The word's bits turned left; the product fits since no rotation exceeds 29. */
  rotate(x: Value, count: number): Value {
    const high = this.op('Mul', x, this.number(2 ** count));
    const low = this.op('Div', x, this.number(2 ** (32 - count)));
    return this.op(
      'BitwiseOr',
      this.op('BitwiseAnd', high, this.number(0xffffffff)),
      low,
    );
  }
}

const rotations = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;

/** Threefry-2x32 with 20 rounds (Salmon et al. 2011, section 4.2). */
function threefry(
  graph: LoweringGraph,
  keys: readonly [Value, Value],
  counters: readonly [Value, Value],
): [Value, Value] {
  const words = new Words(graph);
  const parity = words.number(0x1bd11bda);
  const schedule = [...keys, words.xor(words.xor(parity, keys[0]), keys[1])];
  let x = words.add(counters[0], keys[0]);
  let y = words.add(counters[1], keys[1]);
  for (const group of range(5)) {
    for (const count of rotations[group % 2]!) {
      x = words.add(x, y);
      y = words.xor(words.rotate(y, count), x);
    }
    x = words.add(x, schedule[(group + 1) % 3]!);
    y = words.add(y, schedule[(group + 2) % 3]!);
    y = words.add(y, words.number(group + 1));
  }
  return [x, y];
}

const randomBits: Lowering = (graph, [first, second], { params }) => {
  const shape = params.shape as number[];
  const keyRank = first!.shape.length;
  const generated = shape.slice(keyRank);
  const key = (value: Value) => {
    const wide = graph.cast(value, 'int64');
    const rank = range(generated.length).map((axis) => keyRank + axis);
    const open = [...wide.shape, ...generated.map(() => 1)];
    return graph.broadcast(wide, open, rank);
  };
  const count = elementCount(generated);
  const places = graph.emit(
    'Range',
    [0, count, 1].map((value) => graph.filled(value, 'int64', []).name),
    {},
    'int64',
    [count],
  );
  const counter = graph.reshape(places, generated);
  const zero = graph.filled(0, 'int64', []);
  const [x, y] = threefry(graph, [key(first!), key(second!)], [zero, counter]);
  const word =
    params.mode === 'xor'
      ? graph.elementwise('BitwiseXor', [x, y], 'int64')
      : params.mode === 0
        ? x
        : y;
  return [{ ...graph.cast(word, 'uint32'), shape }];
};

/** Powers of two by exponent bits, so that `(mantissa + hidden) * scale` is the float32. */
function exponentTables(): { scales: number[]; hidden: number[] } {
  const scales = range(255).map((exponent) => 2 ** (Math.max(exponent, 1) - 150));
  const hidden = range(255).map((exponent) => (exponent === 0 ? 0 : 2 ** 23));
  return { scales: [...scales, Infinity], hidden: [...hidden, 2 ** 23] };
}

/** Float32 from its bits, exactly; every NaN becomes an infinity. */
function floatFromBits(graph: LoweringGraph, bits: Value): Value {
  const words = graph.cast(graph.cast(bits, 'uint32'), 'int64');
  const op = (operator: string, x: Value, y: number) =>
    graph.elementwise(operator, [x, graph.filled(y, 'int64', [])], 'int64');
  const exponent = op('BitwiseAnd', op('Div', words, 2 ** 23), 255);
  const mantissa = op('BitwiseAnd', words, 2 ** 23 - 1);
  const sign = op('Div', words, 2 ** 31);
  const { scales, hidden } = exponentTables();
  const pick = (table: readonly number[], index: Value) =>
    graph.emit(
      'Gather',
      [graph.constant('float32', [table.length], table).name, index.name],
      {},
      'float32',
      index.shape,
      index.stored,
    );
  const float = (operator: string, ...inputs: Value[]) =>
    graph.elementwise(operator, inputs, 'float32');
  const whole = float('Add', graph.cast(mantissa, 'float32'), pick(hidden, exponent));
  const size = float('Mul', whole, pick(scales, exponent));
  // A product, since Neg and Where lose the sign of zero.
  return float('Mul', size, pick([1, -1], sign));
}

const bitcast: Lowering = (graph, [x], { params }) => {
  const from = x!.dtype;
  const to = params.dtype as DataType;
  if (from === to) return [x!];
  const isWord = (dtype: DataType) => dtype === 'int32' || dtype === 'uint32';
  if (isWord(from) && isWord(to)) return [graph.cast(x!, to)];
  if (isWord(from) && to === 'float32') return [floatFromBits(graph, x!)];
  throw new UnsupportedError(
    `the primitive "bitcast" from ${from} to ${to} is not lowered`,
  );
};

/** Set bits of a word, by adding neighbours in ever wider fields. */
const bitCount: Lowering = (graph, [x]) => {
  const op = (operator: string, a: Value, b: Value) =>
    graph.elementwise(operator, [a, b], 'int64');
  const number = (value: number) => graph.filled(value, 'int64', []);
  let word = graph.cast(graph.cast(x!, 'uint32'), 'int64');
  const masks = [0x55555555, 0x33333333, 0x0f0f0f0f, 0x00ff00ff, 0x0000ffff];
  for (const [step, mask] of masks.entries()) {
    const low = op('BitwiseAnd', word, number(mask));
    const high = op('Div', word, number(2 ** (2 ** step)));
    word = op('Add', low, op('BitwiseAnd', high, number(mask)));
  }
  return [graph.cast(word, 'int32')];
};

export const bitLowerings: Lowerings = {
  bit_combine: bitwise,
  bit_shift: shift,
  bit_count: bitCount,
  random_bits: randomBits,
  bitcast,
};
