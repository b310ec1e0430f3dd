/** How a quantized model lies in safetensors: GPTQ's layout, AWQ's, or our own packed one. */

import type { QuantizedMatrix } from '../../array/quantized.ts';
import { bytesPerElement, elementCount } from '../../array/tensor.ts';
import { packAwq, packBits, packedBytes, packGptq } from '../../format/packed.ts';
import type { TensorToWrite } from '../../format/safetensors-writer.ts';
import { transpose, transposedNames } from '../../nn/load.ts';
import type { QuantizedModel } from '../../nn/quantized.ts';

/**
 * - `gptq`: what vLLM, SGLang and transformers load; needs sizes that are multiples of 32.
 * - `awq`: AutoAWQ's layout, 4 bits only.
 * - `packed`: our own, for everything the others cannot hold: other sizes, a single scale
 *   for a matrix, quantized or scaled activations.
 */
export type Layout = 'gptq' | 'awq' | 'packed';

/** Why the GPTQ layout cannot hold a model, or null when it can. */
export function gptqObstacle(model: QuantizedModel): string | null {
  const obstacle = commonObstacle(model);
  if (obstacle !== null) return obstacle;
  const matrices = Object.values(model.matrices);
  const odd = matrices.find(({ shape }) => shape.some((size) => size % 32 !== 0));
  return odd ? `a layer of sizes [${odd.shape.join(', ')}], not multiples of 32` : null;
}

/** What neither layout of other programs holds. */
function commonObstacle(model: QuantizedModel): string | null {
  const matrices = Object.values(model.matrices);
  if (matrices.length === 0) return 'no quantized weights';
  if (Object.keys(model.activations).length > 0) return 'quantized activations';
  if (matrices.some(({ inputScales }) => inputScales)) {
    return 'layers that divide their input by scales, which its loaders would leave out';
  }
  if (matrices.some(({ perTensor }) => perTensor)) return 'one scale for a matrix';
  return commonGroupSize(matrices) === null ? 'groups of several sizes' : null;
}

/** Why the AWQ layout cannot hold a model, or null when it can. */
export function awqObstacle(model: QuantizedModel): string | null {
  const obstacle = commonObstacle(model);
  if (obstacle !== null) return obstacle;
  const matrices = Object.values(model.matrices);
  if (matrices.some(({ bits }) => bits !== 4)) return 'weights of other than 4 bits';
  const odd = matrices.find(({ shape }) => shape[0] % 8 !== 0);
  return odd ? `a layer of ${odd.shape[0]} outputs, not a multiple of 8` : null;
}

/** The group size of all matrices, -1 for whole rows; null when they differ. */
export function commonGroupSize(matrices: readonly QuantizedMatrix[]): number | null {
  if (matrices.every(({ groupSize, shape }) => groupSize === shape[1])) return -1;
  const [first] = matrices;
  return matrices.every(({ groupSize }) => groupSize === first.groupSize)
    ? first.groupSize
    : null;
}

/** Whether every zero point can be stored less one, as GPTQ's first format does. */
export function zerosAboveNothing(model: QuantizedModel): boolean {
  return Object.values(model.matrices).every(({ zeros }) => !zeros.includes(0));
}

/** The layout that a model is written in unless another is asked for. */
export function defaultLayout(model: QuantizedModel): Layout {
  return gptqObstacle(model) === null ? 'gptq' : 'packed';
}

/** Every tensor of the file; packing happens when a tensor's turn comes. */
export function tensorsOf(model: QuantizedModel, layout: Layout): TensorToWrite[] {
  const tensors: TensorToWrite[] = [];
  for (const [name, matrix] of Object.entries(model.matrices)) {
    const stem = name.replace(/\.weight$/, '');
    tensors.push(...matrixTensors(stem, matrix, layout, zerosAboveNothing(model)));
  }
  const transposed = transposedNames(model.config);
  for (const [name, tensor] of Object.entries(model.floats)) {
    const turned = transposed.has(name);
    const half = tensor.data.every((value) => Math.f16round(value) === value);
    const shape = turned ? [...tensor.shape].reverse() : tensor.shape;
    const data = () => {
      const stored = turned ? transpose(tensor).data : tensor.data;
      return half ? new Float16Array(stored) : stored;
    };
    tensors.push({ name, dtype: half ? 'float16' : 'float32', shape, data });
  }
  for (const [name, { scale, zero }] of Object.entries(model.activations)) {
    const stem = name.replace(/\.weight$/, '');
    tensors.push(
      {
        name: `${stem}.input_scale`,
        dtype: 'float32',
        shape: [1],
        data: Float32Array.of(scale),
      },
      {
        name: `${stem}.input_zero`,
        dtype: 'int32',
        shape: [1],
        data: Int32Array.of(zero),
      },
    );
  }
  return tensors;
}

/** Bytes of all tensors, as the file will hold them. */
export function tensorBytes(
  model: QuantizedModel,
  layout = defaultLayout(model),
): number {
  return tensorsOf(model, layout).reduce(
    (sum, { dtype, shape }) => sum + elementCount(shape) * bytesPerElement[dtype],
    0,
  );
}

function matrixTensors(
  stem: string,
  matrix: QuantizedMatrix,
  layout: Layout,
  zerosFit: boolean,
): TensorToWrite[] {
  const { bits, shape, groupSize } = matrix;
  const [outputs, inputs] = shape;
  const groups = inputs / groupSize;
  const named = (
    suffix: string,
    dtype: 'int32' | 'float16' | 'uint8',
    size: readonly number[],
    data: () => Int32Array | Float16Array | Uint8Array,
  ): TensorToWrite => ({
    name: `${stem}.${suffix}`,
    dtype,
    shape: size,
    data: data as () => Int32Array<ArrayBuffer>,
  });
  if (layout === 'packed') {
    const scales = matrix.perTensor ? matrix.scales.subarray(0, 1) : matrix.scales;
    const zeros = matrix.perTensor ? matrix.zeros.subarray(0, 1) : matrix.zeros;
    const tensors = [
      named('codes', 'uint8', [packedBytes(matrix.codes.length, bits)], () =>
        packBits(matrix.codes, bits),
      ),
      named(
        'scales',
        'float16',
        matrix.perTensor ? [1, 1] : [outputs, groups],
        () => new Float16Array(scales),
      ),
    ];
    if (!matrix.symmetric) {
      const size = [packedBytes(zeros.length, bits)];
      tensors.push(named('zeros', 'uint8', size, () => packBits(zeros, bits)));
    }
    const { inputScales } = matrix;
    if (inputScales) {
      tensors.push(
        named('act_scales', 'float16', [inputs], () => new Float16Array(inputScales)),
      );
    }
    return tensors;
  }
  // Packed once, on first need: the parts come one after the other.
  if (layout === 'awq') {
    const pack = once(() => packAwq(matrix));
    return [
      named('qweight', 'int32', [inputs, outputs / 8], () => pack().qweight.data),
      named('qzeros', 'int32', [groups, outputs / 8], () => pack().qzeros.data),
      named('scales', 'float16', [groups, outputs], () => pack().scales.data),
    ];
  }
  const pack = once(() => packGptq(matrix, zerosFit ? 'v1' : 'v2'));
  return [
    named('qweight', 'int32', [(inputs / 32) * bits, outputs], () => pack().qweight.data),
    named('qzeros', 'int32', [groups, (outputs / 32) * bits], () => pack().qzeros.data),
    named('scales', 'float16', [groups, outputs], () => pack().scales.data),
    named('g_idx', 'int32', [inputs], () => pack().g_idx.data),
  ];
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
