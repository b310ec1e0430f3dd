/** Lowers gather and scatter by integer arrays. */

import { elementCount } from '../tensor.ts';
import type { LoweringGraph } from './graph.ts';
import type { Lowering, Lowerings } from './lowering.ts';
import { concatenateValues } from './shape.ts';
import { broadcastShape, range, type Value } from './value.ts';

/**
 * One flat index per element from an index for each of several axes, over the axes' sizes,
 * in the indices' broadcast shape.
 */
function flatIndex(
  graph: LoweringGraph,
  indices: readonly Value[],
  sizes: readonly number[],
): Value {
  let flat = graph.cast(indices[0]!, 'int64');
  for (const axis of range(indices.length).slice(1)) {
    const size = graph.filled(sizes[axis]!, 'int64', []);
    const row = graph.elementwise('Mul', [flat, size], 'int64');
    flat = graph.elementwise('Add', [row, graph.cast(indices[axis]!, 'int64')], 'int64');
  }
  return flat;
}

/** The order of axes with the indexed ones first. */
function indexedFirst(rank: number, axes: readonly number[]): number[] {
  return [...axes, ...range(rank).filter((axis) => !axes.includes(axis))];
}

/** Elements at an index along one axis: `axis` is replaced by the index's axes. */
function takeAlong(graph: LoweringGraph, x: Value, index: Value, axis: number): Value {
  const source = graph.expand(x, [axis]);
  const replaced = (whole: readonly number[], part: readonly number[]) =>
    whole.toSpliced(axis, 1, ...part);
  return graph.emit(
    'Gather',
    [source.name, index.name],
    { axis },
    x.dtype,
    replaced(source.shape, index.shape),
    replaced(source.stored, index.stored),
  );
}

/**
 * Elements at an index for each of several axes; the index's axes come first in the result.
 * ONNX Runtime checks every index against its own axis.
 */
function takeAt(
  graph: LoweringGraph,
  x: Value,
  indices: readonly Value[],
  axes: readonly number[],
): Value {
  const shape = indices.map((index) => index.shape).reduce(broadcastShape);
  const columns = indices.map((index) => {
    const wide = graph.cast(index, 'int64');
    const extra = shape.length - wide.shape.length;
    const aligned = graph.broadcast(
      wide,
      [...wide.shape].toSpliced(0, 0, ...shape.slice(0, extra)),
      range(extra),
    );
    return graph.expand(
      graph.broadcast({ ...aligned, shape }, [...shape, 1], [shape.length]),
    );
  });
  const index = concatenateValues(graph, columns, shape.length);
  const source = graph.expand(graph.transpose(x, indexedFirst(x.shape.length, axes)));
  const rest = source.shape.slice(axes.length);
  const names = [source.name, index.name];
  return graph.emit('GatherND', names, {}, x.dtype, [...shape, ...rest]);
}

const gather: Lowering = (graph, [x, ...indices], { params, outputTypes }) => {
  const axes = params.axis as number[];
  const outDim = params.outDim as number;
  const { shape } = outputTypes[0]!;
  const indexShape = indices.map((index) => index.shape).reduce(broadcastShape);
  const [first] = indices;
  const single = axes.length === 1;
  const axis = single ? axes[0]! : 0;
  const taken = single
    ? takeAlong(graph, x!, graph.cast(first!, 'int64'), axis)
    : takeAt(graph, x!, indices, axes);
  // The index axes stand at `axis`; they belong at `outDim`.
  const indexAxes = range(indexShape.length).map((offset) => axis + offset);
  const others = range(taken.shape.length).filter((other) => !indexAxes.includes(other));
  const order = others.toSpliced(outDim, 0, ...indexAxes);
  return [{ ...graph.transpose(taken, order), shape }];
};

/** Updates written, or added, into zeros. */
const scatter: Lowering = (graph, [updates, ...indices], { params, outputTypes }) => {
  const axes = params.axis as number[];
  const outDim = params.outDim as number;
  const { shape, dtype } = outputTypes[0]!;
  const sizes = axes.map((axis) => shape[axis]!);
  const indexShape = indices.map((index) => index.shape).reduce(broadcastShape);
  const count = elementCount(indexShape);
  const rest = range(shape.length).filter((axis) => !axes.includes(axis));
  const restSizes = rest.map((axis) => shape[axis]!);
  const width = elementCount(restSizes);
  const rows = elementCount(sizes);
  if (updates!.shape.includes(0)) return [graph.filled(0, dtype, shape)];

  const inner = dtype === 'bool' || dtype === 'uint32' ? 'int32' : dtype;
  const indexAxes = range(indexShape.length).map((offset) => outDim + offset);
  const moved = graph.transpose(
    graph.cast(updates!, inner),
    indexedFirst(updates!.shape.length, indexAxes),
  );
  const flat = graph.expand(graph.reshape(moved, [count, width]));
  const flatIndices = graph.expand({
    ...flatIndex(graph, indices, sizes),
    shape: indexShape,
  });
  const index = graph.reshape(flatIndices, [count, 1]);
  const zeros = graph.expand(graph.filled(0, inner, [rows, width]));
  const adds = params.op === 'add' && params.uniqueIndices !== true;
  // ScatterND adds in parallel without care for equal indices; ScatterElements does not.
  const written = adds
    ? graph.emit(
        'ScatterElements',
        [zeros.name, graph.expand({ ...index, shape: [count, width] }).name, flat.name],
        { axis: 0, reduction: 'add' },
        inner,
        [rows, width],
      )
    : graph.emit('ScatterND', [zeros.name, index.name, flat.name], {}, inner, [
        rows,
        width,
      ]);
  const unflattened = graph.reshape(written, [...sizes, ...restSizes]);
  const order = indexedFirst(shape.length, axes);
  const back = range(shape.length).map((axis) => order.indexOf(axis));
  return [graph.cast(graph.transpose(unflattened, back), dtype)];
};

export const indexingLowerings: Lowerings = { gather, scatter };
