/** Lowers gather and scatter by integer arrays. */

import { elementCount } from '../tensor.ts';
import type { LoweringGraph } from './graph.ts';
import type { Lowering, Lowerings } from './lowering.ts';
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

const gather: Lowering = (graph, [x, ...indices], { params, outputTypes }) => {
  const axes = params.axis as number[];
  const outDim = params.outDim as number;
  const { shape } = outputTypes[0]!;
  const sizes = axes.map((axis) => x!.shape[axis]!);
  const index = flatIndex(graph, indices, sizes);
  const indexRank = index.shape.length;
  const rest = range(x!.shape.length).filter((axis) => !axes.includes(axis));
  let source = graph.expand(x!, axes);
  let axis = axes[0]!;
  if (axes.length > 1) {
    source = graph.transpose(source, indexedFirst(x!.shape.length, axes));
    const merged = [elementCount(sizes), ...rest.map((other) => x!.shape[other]!)];
    source = graph.reshape(source, merged);
    axis = 0;
  }
  const spliced = (whole: readonly number[], part: readonly number[]) =>
    whole.toSpliced(axis, 1, ...part);
  const taken = graph.emit(
    'Gather',
    [source.name, index.name],
    { axis },
    x!.dtype,
    spliced(source.shape, index.shape),
    spliced(source.stored, index.stored),
  );
  // The index axes stand at `axis`; they belong at `outDim`.
  const indexAxes = range(indexRank).map((offset) => axis + offset);
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
