/** Lowers reductions: sum, product, minimum, maximum. */

import { type DataType, elementCount } from '../tensor.ts';
import type { LoweringGraph } from './graph.ts';
import type { Lowering, Lowerings } from './lowering.ts';
import { isFloat, range, type Value } from './value.ts';

export type Reduction = 'Add' | 'Mul' | 'Min' | 'Max';

const operators: Readonly<Record<Reduction, string>> = {
  Add: 'ReduceSum',
  Mul: 'ReduceProd',
  Min: 'ReduceMin',
  Max: 'ReduceMax',
};

/** What a reduction over no elements gives. */
function identity(reduction: Reduction, dtype: DataType): number {
  if (reduction === 'Add') return 0;
  if (reduction === 'Mul') return 1;
  const isLow = reduction === 'Max';
  if (dtype === 'bool') return isLow ? 0 : 1;
  if (dtype === 'int32') return isLow ? -(2 ** 31) : 2 ** 31 - 1;
  if (dtype === 'uint32') return isLow ? 0 : 2 ** 32 - 1;
  return isLow ? -Infinity : Infinity;
}

/** The type that ONNX Runtime computes the reduction in. */
function reductionType(reduction: Reduction, dtype: DataType): DataType {
  if (dtype === 'bool') return 'int32';
  if (dtype === 'uint32') return 'int64';
  // ReduceProd does not wrap int32 around.
  if (dtype === 'int32' && reduction === 'Mul') return 'int64';
  return dtype;
}

/** The value reduced over axes, which disappear. Axes that are lazy cost nothing. */
export function reduceValue(
  graph: LoweringGraph,
  value: Value,
  reduction: Reduction,
  axes: readonly number[],
): Value {
  const { dtype } = value;
  const kept = range(value.shape.length).filter((axis) => !axes.includes(axis));
  const shape = kept.map((axis) => value.shape[axis]!);
  if (axes.some((axis) => value.shape[axis] === 0)) {
    return graph.filled(identity(reduction, dtype), dtype, shape);
  }
  const inner = reductionType(reduction, dtype);
  // A truth value's sum saturates, as "any" does; its product is "all".
  const effective =
    dtype !== 'bool' ? reduction : reduction === 'Add' ? 'Max' : reduction;
  const wide = axes.filter((axis) => value.stored[axis] !== 1);
  const stored = kept.map((axis) => value.stored[axis]!);
  let result: Value;
  if (wide.length === 0) {
    const cast = graph.cast(value, inner);
    const name = graph.reshapeName(cast.name, cast.stored, stored);
    result = { name, dtype: inner, shape, stored };
  } else {
    const cast = graph.cast(value, inner);
    const names = [cast.name, graph.builder.integers([...axes])];
    result = graph.emit(
      operators[effective],
      names,
      { keepdims: 0 },
      inner,
      shape,
      stored,
    );
  }
  let copies = 1;
  for (const axis of axes) {
    if (value.stored[axis] === 1) copies *= value.shape[axis]!;
  }
  if (copies > 1 && effective === 'Add') {
    const factor = graph.filled(copies, inner, []);
    result = graph.elementwise('Mul', [result, factor], inner);
  }
  if (copies > 1 && effective === 'Mul') {
    const exponent = graph.filled(copies, inner, []);
    result = graph.elementwise('Pow', [result, exponent], inner);
  }
  return graph.cast(result, dtype);
}

/**
 * An extreme that is NaN where any element is: ONNX Runtime's own is then any of the elements.
 */
function extremeOrNaN(
  graph: LoweringGraph,
  value: Value,
  reduction: Reduction,
  axes: readonly number[],
): Value {
  const { dtype } = value;
  const missing = graph.elementwise('IsNaN', [value], 'bool');
  const found = reduceValue(graph, missing, 'Max', axes);
  const extreme = reduceValue(graph, value, reduction, axes);
  const nan = graph.filled(Number.NaN, dtype, []);
  return graph.elementwise('Where', [found, nan, extreme], dtype);
}

const reduce: Lowering = (graph, [x], { params, isReference }) => {
  const axes = params.axis as number[];
  const reduction = params.op as Reduction;
  if (axes.length === 0) return [x!];
  const isExtreme = reduction === 'Min' || reduction === 'Max';
  // What is compared with a reference point is NaN itself where an element is.
  if (isExtreme && isFloat(x!.dtype) && !isReference && elementCount(x!.shape) > 0) {
    return [extremeOrNaN(graph, x!, reduction, axes)];
  }
  return [reduceValue(graph, x!, reduction, axes)];
};

export const reductionLowerings: Lowerings = { reduce };
