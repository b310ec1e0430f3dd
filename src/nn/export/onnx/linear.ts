/** Linear layers of an exported graph: MatMulNBits where the codes allow, else MatMul. */

import type { GraphBuilder } from '../../../array/onnx/index.ts';
import type { QuantizedMatrix } from '../../../array/quantized.ts';
import { float32, type Tensor } from '../../../array/tensor.ts';
import type { ActivationRange } from '../../quantized.ts';
import type { ExportSource } from '../source.ts';
import { packBlocks, planBlocks } from './packing.ts';
import type { WeightList } from './weights.ts';

export const runtimeDomain = { domain: 'com.microsoft' } as const;

/**
 * How exactly MatMulNBits multiplies: 1 in float32, 4 with inputs rounded to 8-bit integers
 * block by block, which is several times faster on processors.
 */
export type AccuracyLevel = 0 | 1 | 4;

/** What the parts of a graph share while it is built. */
export interface GraphParts {
  readonly builder: GraphBuilder;
  readonly source: ExportSource;
  readonly weights: WeightList;
  readonly accuracyLevel: AccuracyLevel;
}

/** `x [..., inFeatures]` times the weight of that name, plus its bias: `[..., outFeatures]`. */
export function linear(
  parts: GraphParts,
  x: string,
  name: string,
  bias: string | null,
): string {
  const { builder, source } = parts;
  const matrix = source.matrix(name);
  const range = source.activation(name);
  const input = range ? roundedInput(builder, x, range) : x;
  const product =
    (matrix && packedProduct(parts, input, name, matrix)) ??
    floatProduct(parts, input, name);
  return bias === null ? product : builder.add('Add', [product, constant(parts, bias)]);
}

/** A parameter as it is: a norm, a bias. */
export function constant(parts: GraphParts, name: string): string {
  const { source, weights } = parts;
  const shape = source.shapes[name]!;
  const before = weights.count;
  const added = weights.add(
    name,
    'float32',
    shape,
    async () => (await source.read(name)).data,
  );
  weights.record(name, 'constant', before);
  return added;
}

function floatProduct(parts: GraphParts, x: string, name: string): string {
  const { builder, source, weights } = parts;
  const [outFeatures = 0, inFeatures = 0] = source.shapes[name]!;
  const before = weights.count;
  const weight = weights.add(name, 'float32', [inFeatures, outFeatures], async () =>
    transposed(await source.read(name)),
  );
  const matrix = source.matrix(name);
  weights.record(name, 'MatMul', before, {
    note: matrix
      ? `groups of ${matrix.groupSize} are no legal blocks: written as floats`
      : '',
  });
  return builder.add('MatMul', [x, weight]);
}

function packedProduct(
  parts: GraphParts,
  x: string,
  name: string,
  matrix: QuantizedMatrix,
): string | undefined {
  const { builder, weights, accuracyLevel } = parts;
  // The runtime has no fast kernel for 2-bit codes with float inputs.
  const plan = planBlocks(matrix, accuracyLevel === 4 ? 2 : 4);
  if (!plan) return undefined;
  const [outFeatures, inFeatures] = matrix.shape;
  const { bits, blockSize, blocksPerRow } = plan;
  const before = weights.count;
  const once = remembered(() => packBlocks(matrix, plan));
  const codesShape = [outFeatures, blocksPerRow, (blockSize * bits) / 8];
  const { inputScales } = matrix;
  const divided = inputScales
    ? builder.add('Div', [
        x,
        weights.add(
          `${name}.input_scales`,
          'float32',
          [inFeatures],
          async () => inputScales,
        ),
      ])
    : x;
  const inputs = [
    divided,
    weights.add(`${name}.codes`, 'uint8', codesShape, async () => once().blocks.data),
    weights.add(
      `${name}.scales`,
      'float32',
      [outFeatures * blocksPerRow],
      async () => once().scales.data,
    ),
  ];
  if (plan.explicitZeros) {
    const zerosShape = [outFeatures * Math.ceil((blocksPerRow * bits) / 8)];
    inputs.push(
      weights.add(
        `${name}.zeros`,
        'uint8',
        zerosShape,
        async () => once().zeroPoints!.data,
      ),
    );
  }
  weights.record(name, 'MatMulNBits', before, {
    bits,
    blockSize,
    note: bits === matrix.bits ? '' : `codes of ${matrix.bits} bits carried in ${bits}`,
  });
  return builder.add(
    'MatMulNBits',
    inputs,
    {
      K: inFeatures,
      N: outFeatures,
      bits,
      block_size: blockSize,
      accuracy_level: accuracyLevel,
    },
    runtimeDomain,
  );
}

/** Keeps only the latest result: constants of one matrix are written one after the other. */
function remembered<T extends object>(make: () => T): () => T {
  let kept: WeakRef<T> | undefined;
  return () => {
    const known = kept?.deref();
    if (known) return known;
    const made = make();
    kept = new WeakRef(made);
    return made;
  };
}

/** `(round(clamp(x / scale + zero)) - zero) * scale`, ties rounded up as our own passes do. */
function roundedInput(builder: GraphBuilder, x: string, range: ActivationRange): string {
  const scalar = (value: number): string =>
    builder.constant(float32([], Float32Array.of(value)));
  const scale = scalar(range.scale);
  const zero = scalar(range.zero);
  const steps = builder.add('Add', [builder.add('Div', [x, scale]), zero]);
  const clamped = builder.add('Clip', [steps, scalar(0), scalar(2 ** range.bits - 1)]);
  const codes = builder.add('Floor', [builder.add('Add', [clamped, scalar(0.5)])]);
  return builder.add('Mul', [builder.add('Sub', [codes, zero]), scale]);
}

function transposed(tensor: Tensor): Float32Array {
  const [rows = 0, columns = 0] = tensor.shape;
  const result = new Float32Array(tensor.data.length);
  // Square tiles keep both sides within the cache.
  const tile = 32;
  for (let top = 0; top < rows; top += tile) {
    for (let left = 0; left < columns; left += tile) {
      const bottom = Math.min(top + tile, rows);
      const right = Math.min(left + tile, columns);
      for (let row = top; row < bottom; row++) {
        for (let column = left; column < right; column++) {
          result[column * rows + row] = tensor.data[row * columns + column]!;
        }
      }
    }
  }
  return result;
}
