/** Lowers operations that move, cut or join elements. */

import type { Shape } from '../tensor.ts';
import type { LoweringGraph } from './graph.ts';
import type { Lowering, Lowerings } from './lowering.ts';
import { promote, range, type Value } from './value.ts';

export type Interval = readonly [start: number, end: number];

/** The part of a value inside an interval of each axis. */
export function sliceValue(
  graph: LoweringGraph,
  value: Value,
  intervals: readonly Interval[],
): Value {
  const shape = intervals.map(([start, end]) => end - start);
  const axes = range(shape.length).filter(
    (axis) => value.stored[axis] !== 1 && shape[axis] !== value.shape[axis],
  );
  const stored = value.stored.map((size, axis) => (size === 1 ? 1 : shape[axis]!));
  if (axes.length === 0) return { ...value, shape };
  const list = (pick: (axis: number) => number) => graph.builder.integers(axes.map(pick));
  const inputs = [
    value.name,
    list((axis) => intervals[axis]![0]),
    list((axis) => intervals[axis]![1]),
    list((axis) => axis),
  ];
  return graph.emit('Slice', inputs, {}, value.dtype, shape, stored);
}

/** The value with zeros before and after each axis. */
export function padValue(
  graph: LoweringGraph,
  value: Value,
  widths: readonly Interval[],
): Value {
  const shape = value.shape.map(
    (size, axis) => size + widths[axis]![0] + widths[axis]![1],
  );
  const padded = range(shape.length).filter((axis) => shape[axis] !== value.shape[axis]);
  if (padded.length === 0) return value;
  if (value.shape.includes(0)) return graph.filled(0, value.dtype, shape);
  const full = graph.expand(value, padded);
  const stored = full.stored.map((size, axis) =>
    padded.includes(axis) ? shape[axis]! : size,
  );
  const pads = [...widths.map(([before]) => before), ...widths.map(([, after]) => after)];
  const inputs = [
    full.name,
    graph.builder.integers(pads),
    graph.filled(0, value.dtype, []).name,
  ];
  return graph.emit('Pad', inputs, {}, value.dtype, shape, stored);
}

const transpose: Lowering = (graph, [x], { params }) => [
  graph.transpose(x!, params.perm as number[]),
];

const broadcast: Lowering = (graph, [x], { params }) => [
  graph.broadcast(x!, params.shape as number[], params.axis as number[]),
];

const reshape: Lowering = (graph, [x], { params }) => [
  graph.reshape(x!, params.shape as Shape),
];

const flip: Lowering = (graph, [x], { params }) => {
  const axes = (params.axis as number[]).filter((axis) => x!.stored[axis] !== 1);
  if (axes.length === 0) return [x!];
  const inputs = [
    x!.name,
    graph.builder.integers(axes.map(() => -1)),
    graph.builder.integers(axes.map(() => -(2 ** 31))),
    graph.builder.integers(axes),
    graph.builder.integers(axes.map(() => -1)),
  ];
  return [graph.emit('Slice', inputs, {}, x!.dtype, x!.shape, x!.stored)];
};

const shrink: Lowering = (graph, [x], { params }) => [
  sliceValue(graph, x!, params.slice as Interval[]),
];

const pad: Lowering = (graph, [x], { params }) => [
  padValue(graph, x!, params.width as Interval[]),
];

/** Values joined along an axis. */
export function concatenateValues(
  graph: LoweringGraph,
  values: readonly Value[],
  axis: number,
): Value {
  const parts = values.filter((value) => value.shape[axis] !== 0);
  const [first] = parts;
  if (parts.length === 1) return first!;
  const rank = first!.shape.length;
  const wide = range(rank).filter(
    (other) => other === axis || parts.some((part) => part.stored[other] !== 1),
  );
  const full = parts.map((part) => graph.expand(part, wide));
  const join = (shapes: Shape[]) =>
    range(rank).map((other) =>
      other === axis
        ? shapes.reduce((sum, shape) => sum + shape[axis]!, 0)
        : shapes[0]![other]!,
    );
  return graph.emit(
    'Concat',
    full.map((part) => part.name),
    { axis },
    first!.dtype,
    join(full.map((part) => [...part.shape])),
    join(full.map((part) => [...part.stored])),
  );
}

const concatenate: Lowering = (graph, inputs, { params, inputTypes }) => {
  const dtype = promote(inputTypes);
  const cast = inputs.map((input) => graph.cast(input, dtype));
  return [concatenateValues(graph, cast, params.axis as number)];
};

const split: Lowering = (graph, [x], { params }) => {
  const axis = params.axis as number;
  let start = 0;
  return (params.sizes as number[]).map((size) => {
    const intervals = x!.shape.map(
      (full, other): Interval => (other === axis ? [start, start + size] : [0, full]),
    );
    start += size;
    if (size === 0) {
      const shape = intervals.map(([from, to]) => to - from);
      return graph.empty(x!.dtype, shape);
    }
    return sliceValue(graph, x!, intervals);
  });
};

export const shapeLowerings: Lowerings = {
  transpose,
  broadcast,
  reshape,
  flip,
  shrink,
  pad,
  concatenate,
  split,
};
