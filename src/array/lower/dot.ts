/** Lowers `dot`, jax-js's product and sum over the last axis, to one matrix product. */

import type { DataType } from '../tensor.ts';
import type { LoweringGraph } from './graph.ts';
import type { Lowering, Lowerings } from './lowering.ts';
import { reduceValue } from './reduction.ts';
import { alignShape, broadcastShape, range, type Value } from './value.ts';

/** Matrix operand: `[rows, contracted]`, or transposed, behind one optional batch axis. */
interface Operand {
  readonly name: string;
  readonly transposed: boolean;
}

const product = (sizes: readonly number[]) => sizes.reduce((all, size) => all * size, 1);

/** The value with leading axes of size one, so that it has the rank. */
function align(graph: LoweringGraph, value: Value, rank: number): Value {
  const extra = rank - value.shape.length;
  if (extra === 0) return value;
  return graph.broadcast(value, alignShape(value.shape, rank), range(extra));
}

/**
 * Brings an operand to matrices. Reads a transposed source as it lies where its axes
 * already come as batch, then rows and contracted axis in either order.
 */
function matrices(
  graph: LoweringGraph,
  value: Value,
  batch: readonly number[],
  rows: readonly number[],
): Operand {
  const contracted = value.stored.length - 1;
  const wide = range(value.stored.length).filter((axis) => value.stored[axis] !== 1);
  const layout = graph.layoutOf(value);
  const order = [...batch, ...rows, contracted];
  const sourceOrder = range(wide.length).map(
    (position) => wide[layout.order.indexOf(position)]!,
  );
  const size = (axes: readonly number[]) =>
    product(axes.map((axis) => value.stored[axis]!));
  const depth = value.stored[contracted]!;
  const lead = batch.length > 0 ? [size(batch)] : [];
  const straight = [...lead, size(rows), depth];
  const matches = (axes: readonly number[]) =>
    axes.length === sourceOrder.length &&
    axes.every((axis, index) => axis === sourceOrder[index]);
  if (matches(order)) {
    const name = graph.reshapeName(layout.name, layout.stored, straight);
    return { name, transposed: false };
  }
  if (matches([...batch, contracted, ...rows])) {
    const shape = [...lead, depth, size(rows)];
    const name = graph.reshapeName(layout.name, layout.stored, shape);
    return { name, transposed: true };
  }
  const permutation = order.map((axis) => layout.order[wide.indexOf(axis)]!);
  const moved = graph.fromLayout({ ...layout, order: permutation }, value.dtype);
  const name = graph.reshapeName(moved.name, moved.stored, straight);
  return { name, transposed: false };
}

/** `[batch?, rows, contracted]` of one operand times `[batch?, contracted, columns]` of the other. */
function multiplyMatrices(
  graph: LoweringGraph,
  left: Operand,
  right: Operand,
  batched: boolean,
): string {
  const swap = { perm: batched ? [0, 2, 1] : [1, 0] };
  // ONNX Runtime fuses these transposes into the product.
  const turn = (name: string) => graph.builder.add('Transpose', [name], swap);
  const first = left.transposed ? turn(left.name) : left.name;
  const second = right.transposed ? right.name : turn(right.name);
  return graph.builder.add('MatMul', [first, second]);
}

/** Sum over the last axis of the product of two values, both broadcast to a common shape. */
export function dotValues(
  graph: LoweringGraph,
  first: Value,
  second: Value,
  dtype: DataType,
): Value {
  const rank = Math.max(first.shape.length, second.shape.length);
  const x = align(graph, graph.cast(first, dtype), rank);
  const y = align(graph, graph.cast(second, dtype), rank);
  const full = broadcastShape(x.shape, y.shape);
  const last = rank - 1;
  const shape = full.slice(0, -1);
  const depth = full[last]!;
  if (depth === 0) return graph.filled(0, dtype, shape);
  if (x.stored[last] === 1 || y.stored[last] === 1) {
    const copies = x.stored[last] === 1 && y.stored[last] === 1 ? depth : 1;
    const sum = (value: Value) => {
      const stored = { ...value, shape: value.stored };
      const reduced = reduceValue(graph, stored, 'Add', [last]);
      return { ...reduced, shape: value.shape.slice(0, -1) };
    };
    const result = graph.elementwise('Mul', [sum(x), sum(y)], dtype);
    if (copies === 1) return { ...result, shape };
    const factor = graph.filled(copies, dtype, []);
    return { ...graph.elementwise('Mul', [result, factor], dtype), shape };
  }
  const wide = (value: Value, axis: number) => value.stored[axis] !== 1;
  const axes = range(last);
  const batch = axes.filter((axis) => wide(x, axis) && wide(y, axis));
  const left = axes.filter((axis) => wide(x, axis) && !wide(y, axis));
  const right = axes.filter((axis) => !wide(x, axis) && wide(y, axis));
  if (left.length === 0 && right.length === 0) {
    const products = graph.elementwise('Mul', [x, y], dtype);
    return { ...reduceValue(graph, products, 'Add', [last]), shape };
  }
  // The operand whose own axes come first goes left, so that the result needs no transpose.
  const swapped = right.length > 0 && left.length > 0 && right.at(-1)! < left[0]!;
  const [one, two] = swapped ? [y, x] : [x, y];
  const [rows, columns] = swapped ? [right, left] : [left, right];
  const name = multiplyMatrices(
    graph,
    matrices(graph, one, batch, rows),
    matrices(graph, two, batch, columns),
    batch.length > 0,
  );
  const order = [...batch, ...rows, ...columns];
  const sizes = order.map((axis) => (wide(x, axis) ? x : y).stored[axis]!);
  const rowCount = product(rows.map((axis) => one.stored[axis]!));
  const columnCount = product(columns.map((axis) => two.stored[axis]!));
  const lead = batch.length > 0 ? [product(batch.map((axis) => x.stored[axis]!))] : [];
  const result: Value = {
    name: graph.reshapeName(name, [...lead, rowCount, columnCount], sizes),
    dtype,
    shape: sizes,
    stored: sizes,
  };
  const sorted = order.toSorted((a, b) => a - b);
  const inOrder = graph.transpose(
    result,
    sorted.map((axis) => order.indexOf(axis)),
  );
  const missing = axes.filter((axis) => !order.includes(axis));
  const stored = axes.map((axis) => (order.includes(axis) ? full[axis]! : 1));
  return { ...graph.broadcast(inOrder, stored, missing), shape };
}

const dot: Lowering = (graph, [x, y], { outputTypes }) => [
  dotValues(graph, x!, y!, outputTypes[0]!.dtype),
];

export const dotLowerings: Lowerings = { dot };
