/** Lowers sorting along the last axis. */

import type { DataType } from '../tensor.ts';
import type { LoweringGraph } from './graph.ts';
import type { Lowerings } from './lowering.ts';
import { reduceValue } from './reduction.ts';
import { isFloat, type Value } from './value.ts';

/**
 * The value sorted upwards along its last axis, and where each element was; ties keep their
 * order. NaN comes last, among infinities as it came.
 */
function sortValue(graph: LoweringGraph, value: Value): [sorted: Value, order: Value] {
  const { dtype, shape } = value;
  const inner: DataType =
    dtype === 'bool' ? 'int32' : dtype === 'uint32' ? 'int64' : dtype;
  const full = graph.expand(graph.cast(value, inner));
  // ONNX Runtime's order is arbitrary where NaN is compared.
  const missing = isFloat(inner) ? graph.elementwise('IsNaN', [full], 'bool') : undefined;
  const infinity = graph.filled(Number.POSITIVE_INFINITY, 'float32', []);
  const keys = missing
    ? graph.elementwise('Where', [missing, graph.cast(infinity, inner), full], inner)
    : full;
  const length = shape.at(-1)!;
  const [sorted, order] = graph.builder.node(
    'TopK',
    [keys.name, graph.builder.integers([length])],
    { axis: -1, largest: 0, sorted: 1 },
    { outputs: 2 },
  );
  let values: Value = { name: sorted!, dtype: inner, shape, stored: shape };
  const indices: Value = { name: order!, dtype: 'int64', shape, stored: shape };
  if (missing) {
    const last = shape.length - 1;
    const count = reduceValue(graph, graph.cast(missing, 'int32'), 'Add', [last]);
    const open = graph.broadcast(count, [...count.shape, 1], [last]);
    const fromEnd = graph.emit(
      'Range',
      [length, 0, -1].map((bound) => graph.filled(bound, 'int32', []).name),
      {},
      'int32',
      [length],
    );
    const isLast = graph.elementwise('LessOrEqual', [fromEnd, open], 'bool');
    const nan = graph.cast(graph.filled(Number.NaN, 'float32', []), inner);
    values = graph.elementwise('Where', [isLast, nan, values], inner);
  }
  return [graph.cast(values, dtype), graph.cast(indices, 'int32')];
}

export const sortingLowerings: Lowerings = {
  sort: (graph, [x]) => [sortValue(graph, x!)[0]],
  argsort: (graph, [x]) => sortValue(graph, x!),
};
