/** Lowers sorting along the last axis. */

import type { DataType } from '../tensor.ts';
import type { LoweringGraph } from './graph.ts';
import type { Lowerings } from './lowering.ts';
import type { Value } from './value.ts';

/** The value sorted upwards along its last axis, and where each element was; ties keep their order. */
function sortValue(graph: LoweringGraph, value: Value): [sorted: Value, order: Value] {
  const inner: DataType =
    value.dtype === 'bool' ? 'int32' : value.dtype === 'uint32' ? 'int64' : value.dtype;
  const full = graph.expand(graph.cast(value, inner));
  const { shape } = value;
  const count = graph.builder.integers([shape.at(-1)!]);
  const [sorted, order] = graph.builder.node(
    'TopK',
    [full.name, count],
    { axis: -1, largest: 0, sorted: 1 },
    { outputs: 2 },
  );
  const values: Value = { name: sorted!, dtype: inner, shape, stored: shape };
  const indices: Value = { name: order!, dtype: 'int64', shape, stored: shape };
  return [graph.cast(values, value.dtype), graph.cast(indices, 'int32')];
}

export const sortingLowerings: Lowerings = {
  sort: (graph, [x]) => [sortValue(graph, x!)[0]],
  argsort: (graph, [x]) => sortValue(graph, x!),
};
