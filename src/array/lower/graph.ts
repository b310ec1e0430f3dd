/** The graph under construction during lowering: emits nodes for values and keeps broadcasts lazy. */

import { type AttributeValue, GraphBuilder } from '../onnx/builder.ts';
import { onnxTypeCodes } from '../onnx/model.ts';
import { type AnyTensor, type DataType, elementCount, type Shape } from '../tensor.ts';
import { UnsupportedError } from '../unsupported.ts';
import { broadcastShape, type Layout, range, sameShape, type Value } from './value.ts';

type Attributes = Readonly<Record<string, AttributeValue>>;

const arrayConstructors = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Float16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  bool: Uint8Array,
} as const;

/** A tensor of numbers in the type's array; bools are 0 or 1. */
export function tensorOf(
  dtype: DataType,
  shape: Shape,
  numbers: ArrayLike<number>,
): AnyTensor {
  if (dtype === 'int64') {
    return { dtype, shape, data: BigInt64Array.from(Array.from(numbers), BigInt) };
  }
  const Constructor = arrayConstructors[dtype as keyof typeof arrayConstructors];
  if (!Constructor) throw new UnsupportedError(`constants of type ${dtype}`);
  const data = new Constructor(numbers.length);
  for (let index = 0; index < data.length; index++) data[index] = numbers[index]!;
  return { dtype, shape, data } as AnyTensor;
}

export class LoweringGraph {
  readonly builder = new GraphBuilder('compiled');
  /** What each reshaped tensor was before, so that reshapes do not pile up. */
  readonly #origins = new Map<string, { readonly name: string; readonly shape: Shape }>();

  /** One number, seen as an array of any shape. */
  filled(value: number, dtype: DataType, shape: Shape): Value {
    const stored = shape.map(() => 1);
    const name = this.builder.constant(tensorOf(dtype, stored, [value]));
    return { name, dtype, shape, stored };
  }

  /** A constant that the lowering itself makes; keep it small. */
  constant(dtype: DataType, shape: Shape, numbers: ArrayLike<number>): Value {
    const name = this.builder.constant(tensorOf(dtype, shape, numbers));
    return { name, dtype, shape, stored: shape };
  }

  /** An array without elements. */
  empty(dtype: DataType, shape: Shape): Value {
    return this.constant(dtype, shape, []);
  }

  /** One node with one output. */
  emit(
    operator: string,
    inputs: readonly string[],
    attributes: Attributes,
    dtype: DataType,
    shape: Shape,
    stored: Shape = shape,
  ): Value {
    const name = this.builder.add(operator, inputs, attributes);
    return { name, dtype, shape, stored };
  }

  /** An operator that works element by element, on broadcast operands of any types. */
  elementwise(
    operator: string,
    inputs: readonly Value[],
    dtype: DataType,
    attributes: Attributes = {},
  ): Value {
    let { shape, stored }: { shape: Shape; stored: Shape } = inputs[0]!;
    for (const input of inputs.slice(1)) {
      shape = broadcastShape(shape, input.shape);
      stored = broadcastShape(stored, input.stored);
    }
    const names = inputs.map((input) => input.name);
    return this.emit(operator, names, attributes, dtype, shape, stored);
  }

  /** The value in another element type. */
  cast(value: Value, dtype: DataType): Value {
    if (value.dtype === dtype) return value;
    const to = { to: onnxTypeCodes[dtype] };
    return this.emit('Cast', [value.name], to, dtype, value.shape, value.stored);
  }

  /** The same elements stored in another shape, which a lazy axis may not hide in. */
  #restore(value: Value, stored: Shape, shape: Shape, layout?: Layout): Value {
    const { dtype } = value;
    const name = this.reshapeName(value.name, value.stored, stored);
    return layout
      ? { name, dtype, shape, stored, layout }
      : { name, dtype, shape, stored };
  }

  /** Fills in lazy broadcast axes: the given ones, or all. */
  expand(value: Value, axes: readonly number[] = range(value.shape.length)): Value {
    const stored = value.stored.map((size, axis) =>
      axes.includes(axis) ? value.shape[axis]! : size,
    );
    if (sameShape(stored, value.stored)) return value;
    const target = this.builder.integers(stored);
    return this.emit(
      'Expand',
      [value.name, target],
      {},
      value.dtype,
      value.shape,
      stored,
    );
  }

  /** Adds axes of size one, or broadcast lazily to a size, where `axes` says in the result. */
  broadcast(value: Value, shape: Shape, axes: readonly number[]): Value {
    const stored: number[] = [];
    let from = 0;
    for (const axis of range(shape.length)) {
      stored.push(axes.includes(axis) ? 1 : value.stored[from++]!);
    }
    return this.#restore(value, stored, shape, value.layout);
  }

  transpose(value: Value, permutation: readonly number[]): Value {
    const shape = permutation.map((axis) => value.shape[axis]!);
    const stored = permutation.map((axis) => value.stored[axis]!);
    const wide = range(value.stored.length).filter((axis) => value.stored[axis] !== 1);
    const moved = permutation.filter((axis) => value.stored[axis] !== 1);
    if (sameShape(wide, moved)) return this.#restore(value, stored, shape, value.layout);
    const source = this.layoutOf(value);
    const order = moved.map((axis) => source.order[wide.indexOf(axis)]!);
    const result = this.fromLayout({ ...source, order }, value.dtype);
    return this.#restore(result, stored, shape, result.layout);
  }

  /** Where the value's elements lie, ones left out. */
  layoutOf(value: Value): Layout {
    if (value.layout) return value.layout;
    const { name, stored } = value;
    const sizes = stored.filter((size) => size !== 1);
    return { name, stored, sizes, order: range(sizes.length) };
  }

  /** A value in a layout's order, without axes of size one. */
  fromLayout(layout: Layout, dtype: DataType): Value {
    const sizes = layout.order.map((axis) => layout.sizes[axis]!);
    const source = this.reshapeName(layout.name, layout.stored, layout.sizes);
    if (layout.order.every((axis, index) => axis === index)) {
      return { name: source, dtype, shape: sizes, stored: sizes };
    }
    const name = this.builder.add('Transpose', [source], { perm: layout.order });
    return { name, dtype, shape: sizes, stored: sizes, layout };
  }

  /** A tensor of shape `from` in another shape. */
  reshapeName(name: string, from: Shape, shape: Shape): string {
    const origin = this.#origins.get(name) ?? { name, shape: from };
    if (sameShape(origin.shape, shape)) return origin.name;
    if (sameShape(from, shape)) return name;
    const target = this.builder.integers(shape);
    // Without allowzero a zero in the shape would copy the input's size.
    const result = this.builder.add('Reshape', [origin.name, target], { allowzero: 1 });
    this.#origins.set(result, origin);
    return result;
  }

  /** The same elements, row-major, in another shape; lazy axes stay lazy where they can. */
  reshape(value: Value, shape: Shape): Value {
    const blocks = matchBlocks(value.shape, shape);
    const stored = new Array<number>(shape.length).fill(1);
    const missing: number[] = [];
    for (const { from, to } of blocks) {
      const lazy = from.filter((axis) => value.stored[axis] !== value.shape[axis]);
      if (lazy.length > 0 && from.every((axis) => value.stored[axis] === 1)) continue;
      missing.push(...lazy);
      for (const axis of to) stored[axis] = shape[axis]!;
    }
    if (missing.length > 0)
      return this.#restore(this.expand(value, missing), stored, shape);
    return this.#restore(value, stored, shape, reshapeLayout(value, stored, blocks));
  }
}

interface Block {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** Splits two shapes of equal element counts into the smallest runs of axes that correspond. */
function matchBlocks(from: Shape, to: Shape): Block[] {
  const blocks: Block[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    const block = { from: [] as number[], to: [] as number[] };
    let [left, right] = [1, 1];
    if (i < from.length) {
      block.from.push(i);
      left *= from[i++]!;
    }
    if (j < to.length) {
      block.to.push(j);
      right *= to[j++]!;
    }
    while (left !== right) {
      if (left < right && i < from.length) {
        block.from.push(i);
        left *= from[i++]!;
      } else if (j < to.length) {
        block.to.push(j);
        right *= to[j++]!;
      } else {
        block.from.push(i);
        left *= from[i++]!;
      }
    }
    blocks.push(block);
  }
  return blocks;
}

/** The layout after a reshape, where each run of axes also lies together in the source. */
function reshapeLayout(
  value: Value,
  stored: Shape,
  blocks: readonly Block[],
): Layout | undefined {
  const { layout } = value;
  if (!layout) return undefined;
  // For each source axis in order: the sizes that replace it, and the block they belong to.
  const runs: { first: number; sizes: number[] }[] = [];
  let wide = 0;
  for (const block of blocks) {
    const sources = block.from
      .filter((axis) => value.stored[axis] !== 1)
      .map(() => layout.order[wide++]!);
    if (sources.length === 0) continue;
    if (!sources.every((axis, index) => axis === sources[0]! + index)) return undefined;
    const sizes = block.to.map((axis) => stored[axis]!).filter((size) => size !== 1);
    runs.push({ first: sources[0]!, sizes });
  }
  const inSource = runs.toSorted((one, two) => one.first - two.first);
  const starts = new Map<object, number>();
  const sizes: number[] = [];
  for (const run of inSource) {
    starts.set(run, sizes.length);
    sizes.push(...run.sizes);
  }
  if (elementCount(sizes) !== elementCount(layout.sizes)) return undefined;
  const order = runs.flatMap((run) =>
    run.sizes.map((_, index) => starts.get(run)! + index),
  );
  return { name: layout.name, stored: layout.stored, sizes, order };
}
