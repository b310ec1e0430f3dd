/** Lowers convolutions and the windows that pooling is made of. */

import { type DataType, elementCount } from '../tensor.ts';
import { dotValues } from './dot.ts';
import type { LoweringGraph } from './graph.ts';
import type { Lowering, Lowerings } from './lowering.ts';
import { type Interval, padValue, sliceValue } from './shape.ts';
import { broadcastShape, range, sameShape, type Value } from './value.ts';

interface ConvolutionParams {
  readonly vmapDims: number;
  readonly strides: readonly number[];
  readonly padding: readonly Interval[];
  readonly lhsDilation: readonly number[];
  readonly rhsDilation: readonly number[];
}

/** The value with `gaps - 1` zeros between neighbours along an axis. */
function spread(graph: LoweringGraph, value: Value, axis: number, gaps: number): Value {
  const count = value.shape[axis]!;
  if (gaps === 1 || count <= 1) return value;
  const split = value.shape.toSpliced(axis, 1, count, 1);
  const widths = split.map(
    (_, other): Interval => [0, other === axis + 1 ? gaps - 1 : 0],
  );
  const padded = padValue(graph, graph.reshape(value, split), widths);
  const joined = graph.reshape(padded, value.shape.toSpliced(axis, 1, count * gaps));
  const kept = joined.shape.map(
    (size, other): Interval => (other === axis ? [0, (count - 1) * gaps + 1] : [0, size]),
  );
  return sliceValue(graph, joined, kept);
}

/** Pads each spatial axis after `lead`, or cuts where the padding is negative. */
function padOrCut(
  graph: LoweringGraph,
  value: Value,
  lead: number,
  padding: readonly Interval[],
): Value {
  const at = (axis: number): Interval => padding[axis - lead] ?? [0, 0];
  const widths = value.shape.map((_, axis): Interval => {
    if (axis < lead) return [0, 0];
    return [Math.max(at(axis)[0], 0), Math.max(at(axis)[1], 0)];
  });
  const padded = padValue(graph, value, widths);
  const kept = padded.shape.map((size, axis): Interval => {
    if (axis < lead) return [0, size];
    return [Math.max(-at(axis)[0], 0), size - Math.max(-at(axis)[1], 0)];
  });
  return sliceValue(graph, padded, kept);
}

/**
 * Windows of the last axes: `[..., n] -> [..., starts..., offsets...]` where an element is
 * `x[start * stride + offset * dilation]`.
 */
function windows(
  graph: LoweringGraph,
  value: Value,
  sizes: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
): Value {
  const lead = value.shape.length - sizes.length;
  let result = value;
  for (const index of range(sizes.length)) {
    // Earlier axes have become pairs already: starts and offsets.
    const axis = lead + 2 * index;
    const [size, stride, dilation] = [sizes[index]!, strides[index]!, dilations[index]!];
    const length = value.shape[lead + index]!;
    const starts = Math.floor((length - (size - 1) * dilation - 1) / stride) + 1;
    const pair = [starts, size];
    if (size === stride && dilation === 1) {
      const used = result.shape.map(
        (whole, other): Interval => (other === axis ? [0, starts * size] : [0, whole]),
      );
      const cut = sliceValue(graph, result, used);
      result = graph.reshape(cut, cut.shape.toSpliced(axis, 1, ...pair));
      continue;
    }
    const places = range(starts * size).map((place) => {
      const [start, offset] = [Math.floor(place / size), place % size];
      return start * stride + offset * dilation;
    });
    const source = graph.expand(result, [axis]);
    result = graph.emit(
      'Gather',
      [source.name, graph.constant('int64', pair, places).name],
      { axis },
      value.dtype,
      source.shape.toSpliced(axis, 1, ...pair),
      source.stored.toSpliced(axis, 1, ...pair),
    );
  }
  const pairs = range(sizes.length);
  return graph.transpose(result, [
    ...range(lead),
    ...pairs.map((index) => lead + 2 * index),
    ...pairs.map((index) => lead + 2 * index + 1),
  ]);
}

/** The adjoint of `windows` without dilation: adds each window's elements back where they came from. */
function addWindows(
  graph: LoweringGraph,
  value: Value,
  shape: readonly number[],
  sizes: readonly number[],
  strides: readonly number[],
): Value {
  const spatial = sizes.length;
  const lead = shape.length - spatial;
  let result = value;
  // From the last axis back, so that positions of the earlier ones do not change.
  for (const index of range(spatial).reverse()) {
    const starts = lead + index;
    const offsets = result.shape.length - 1;
    const [size, stride, length] = [sizes[index]!, strides[index]!, shape[starts]!];
    let sum: Value | undefined;
    for (const offset of range(size)) {
      const picked = result.shape.map(
        (whole, axis): Interval => (axis === offsets ? [offset, offset + 1] : [0, whole]),
      );
      const slice = sliceValue(graph, result, picked);
      const flat = graph.reshape(slice, result.shape.slice(0, -1));
      const wide = spread(graph, flat, starts, stride);
      const after = length - offset - wide.shape[starts]!;
      const widths = wide.shape.map(
        (_, axis): Interval => (axis === starts ? [offset, after] : [0, 0]),
      );
      const placed = padValue(graph, wide, widths);
      sum = sum ? graph.elementwise('Add', [sum, placed], value.dtype) : placed;
    }
    result = sum!;
  }
  return result;
}

/** Convolution as windows times kernel: for types that ONNX Runtime's Conv does not take. */
function convolveByWindows(
  graph: LoweringGraph,
  x: Value,
  kernel: Value,
  params: ConvolutionParams,
  dtype: DataType,
): Value {
  const lead = params.vmapDims;
  const spatial = kernel.shape.slice(lead + 2);
  const count = spatial.length;
  const cut = windows(graph, x, spatial, params.strides, params.rhsDilation);
  // [..., batch, channels, starts, offsets] -> [..., batch, 1, starts, channels * offsets]
  const rank = cut.shape.length;
  const moved = graph.transpose(cut, [
    ...range(lead + 1),
    ...range(count).map((index) => lead + 2 + index),
    lead + 1,
    ...range(count).map((index) => rank - count + index),
  ]);
  const depth = kernel.shape[lead + 1]! * elementCount(spatial);
  const starts = moved.shape.slice(lead + 1, lead + 1 + count);
  const left = graph.reshape(moved, [...x.shape.slice(0, lead + 1), 1, ...starts, depth]);
  const right = graph.reshape(kernel, [
    ...kernel.shape.slice(0, lead),
    1,
    kernel.shape[lead]!,
    ...starts.map(() => 1),
    depth,
  ]);
  return dotValues(graph, left, right, dtype);
}

const convolution: Lowering = (graph, [first, second], operation) => {
  const params = operation.params as unknown as ConvolutionParams;
  const { dtype, shape } = operation.outputTypes[0]!;
  const lead = params.vmapDims;
  let x = graph.cast(first!, dtype);
  const kernel = graph.cast(second!, dtype);
  if (x.shape.includes(0) || kernel.shape.includes(0)) {
    return [graph.filled(0, dtype, shape)];
  }
  for (const [index, gaps] of params.lhsDilation.entries()) {
    x = spread(graph, x, lead + 2 + index, gaps);
  }
  x = padOrCut(graph, x, lead + 2, params.padding);
  const spatial = kernel.shape.slice(lead + 2);
  if ((dtype !== 'float32' && dtype !== 'float16') || spatial.length === 0) {
    return [convolveByWindows(graph, x, kernel, params, dtype)];
  }

  // Mapped axes become groups of channels: each group has its own kernel.
  const mapped = broadcastShape(x.shape.slice(0, lead), kernel.shape.slice(0, lead));
  const groups = elementCount(mapped);
  const full = (value: Value): Value => {
    const wanted = [...mapped, ...value.shape.slice(lead)];
    return graph.expand(
      sameShape(wanted, value.shape) ? value : { ...value, shape: wanted },
    );
  };
  const [batch, channels] = x.shape.slice(lead) as [number, number];
  const outChannels = kernel.shape[lead]!;
  const grouped = graph.reshape(full(x), [groups, ...x.shape.slice(lead)]);
  const swap = (rank: number) => [1, 0, ...range(rank - 2).map((axis) => axis + 2)];
  const lined = graph.transpose(grouped, swap(grouped.shape.length));
  const input = graph.reshape(lined, [
    batch,
    groups * channels,
    ...x.shape.slice(lead + 2),
  ]);
  const weights = graph.reshape(full(kernel), [
    groups * outChannels,
    ...kernel.shape.slice(lead + 1),
  ]);
  const places = shape.slice(lead + 2);
  const made = [batch, groups * outChannels, ...places];
  const result = graph.emit(
    'Conv',
    [input.name, weights.name],
    {
      strides: params.strides,
      dilations: params.rhsDilation,
      group: groups,
      kernel_shape: spatial,
    },
    dtype,
    made,
  );
  const apart = graph.reshape(result, [batch, groups, outChannels, ...places]);
  const turned = graph.transpose(apart, swap(apart.shape.length));
  return [graph.reshape(turned, shape)];
};

const pool: Lowering = (graph, [x], { params }) => {
  const sizes = params.window as number[];
  const strides = params.strides as number[];
  return [
    windows(
      graph,
      x!,
      sizes,
      strides,
      sizes.map(() => 1),
    ),
  ];
};

const poolTranspose: Lowering = (graph, [x], { params }) => [
  addWindows(
    graph,
    x!,
    params.inShape as number[],
    params.window as number[],
    params.strides as number[],
  ),
];

export const convolutionLowerings: Lowerings = {
  conv: convolution,
  pool,
  pool_transpose: poolTranspose,
};
