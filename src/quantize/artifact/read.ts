/** Reads a directory that `writeArtifact` wrote, back to the same codes. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { QuantizedMatrix } from '../../array/quantized.ts';
import type { AnyTensor, Tensor } from '../../array/tensor.ts';
import { loadTokenizer } from '../../data/tokenizer/load.ts';
import { InvalidFileError } from '../../error.ts';
import { packedBytes, unpackAwq, unpackBits, unpackGptq } from '../../format/packed.ts';
import type { TensorSource } from '../../format/safetensors.ts';
import { openSafetensors } from '../../format/safetensors-directory.ts';
import { parseConfiguration } from '../../nn/configuration.ts';
import { parameterShapes } from '../../nn/decoder/parameters.ts';
import { transpose, transposedNames } from '../../nn/load.ts';
import type { ActivationRange, QuantizedModel } from '../../nn/quantized.ts';
import type { MatrixNotes } from './configuration.ts';

const matrixNotes = z.object({
  shape: z.tuple([z.int().positive(), z.int().positive()]),
  bits: z.int().min(2).max(8),
  groupSize: z.int().positive(),
  symmetric: z.boolean(),
  perTensor: z.boolean(),
  inputScales: z.boolean().default(false),
});

const notesSchema = z.object({
  version: z.literal(1),
  layout: z.enum(['gptq', 'awq', 'packed']),
  method: z.string(),
  activationBits: z.int().nullable(),
  weightError: z.number().nullable(),
  matrices: z.record(z.string(), matrixNotes),
});

/**
 * The quantized model of a directory, as it was written: codes, scales, zeros, floats.
 * @throws InvalidFileError naming the file and the field or tensor that is missing, has
 * another shape or type, or does not fit the rest.
 */
export async function readArtifact(directory: string): Promise<QuantizedModel> {
  const file = join(directory, 'config.json');
  const { assay, architecture, checkpointFormat } = await readConfiguration(file);
  const parsed = notesSchema.safeParse(assay);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field = ['assay', ...issue.path].join('.');
    throw new InvalidFileError(file, field, 'notes of a quantized model', issue.message);
  }
  const notes = parsed.data;
  const config = parseConfiguration(JSON.stringify(architecture), file);
  const source = await openSafetensors(directory);
  const place = source.files[0];
  const matrices: Record<string, QuantizedMatrix> = {};
  const floats: Record<string, Tensor> = {};
  const activations: Record<string, ActivationRange> = {};
  const transposed = transposedNames(config);
  const shapes = parameterShapes(config);
  for (const [name, shape] of Object.entries(shapes)) {
    const stem = name.replace(/\.weight$/, '');
    const about = notes.matrices[name];
    if (about) {
      if (about.shape.join() !== shape.join()) {
        const received = `[${about.shape.join(', ')}]`;
        const expected = `[${shape.join(', ')}]`;
        throw new InvalidFileError(file, `assay.matrices.${name}`, expected, received);
      }
      const format = checkpointFormat === 'gptq_v2' ? 'v2' : 'v1';
      matrices[name] = await readMatrix(source, place, stem, about, notes.layout, format);
    } else {
      const stored = await required(source, place, name);
      const tensor = transposed.has(name) ? transpose(stored) : stored;
      if (tensor.shape.join() !== shape.join()) {
        const expected = `shape [${shape.join(', ')}]`;
        const received = `[${tensor.shape.join(', ')}]`;
        throw new InvalidFileError(place, `tensor "${name}"`, expected, received);
      }
      floats[name] = tensor;
    }
    if (notes.activationBits !== null && source.has(`${stem}.input_scale`)) {
      const scale = await required(source, place, `${stem}.input_scale`);
      const zero = await required(source, place, `${stem}.input_zero`);
      activations[name] = {
        bits: notes.activationBits,
        scale: scale.data[0],
        zero: zero.data[0],
      };
    }
  }
  return {
    config,
    tokenizer: await loadTokenizer(directory),
    method: notes.method,
    matrices,
    floats,
    activations,
    report: notes.weightError === null ? {} : { weightError: notes.weightError },
  };
}

interface Configuration {
  readonly assay: unknown;
  readonly architecture: Record<string, unknown>;
  readonly checkpointFormat: unknown;
}

/** `config.json` without what concerns the quantization, for the architecture's parser. */
async function readConfiguration(file: string): Promise<Configuration> {
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) {
    throw new InvalidFileError(
      file,
      'file',
      'the configuration of an artifact',
      'no such file',
    );
  }
  let values: Record<string, unknown>;
  try {
    values = JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new InvalidFileError(file, 'file', 'JSON', (error as Error).message);
  }
  const { assay, quantization_config: quantization, ...architecture } = values ?? {};
  const stated = quantization as { checkpoint_format?: unknown } | undefined;
  return { assay, architecture, checkpointFormat: stated?.checkpoint_format };
}

async function required(
  source: TensorSource,
  file: string,
  name: string,
): Promise<Tensor> {
  checkPresent(source, file, name);
  return source.read(name);
}

async function stored(
  source: TensorSource,
  file: string,
  name: string,
  dtype: 'int32' | 'float16' | 'uint8',
): Promise<AnyTensor> {
  checkPresent(source, file, name);
  const found = source.describe(name).dtype;
  if (found !== dtype) {
    throw new InvalidFileError(file, `tensor "${name}"`, dtype, found);
  }
  return source.readStored(name);
}

function checkPresent(source: TensorSource, file: string, name: string): void {
  if (source.has(name)) return;
  throw new InvalidFileError(file, `tensor "${name}"`, 'a tensor', 'no such tensor');
}

async function readMatrix(
  source: TensorSource,
  file: string,
  stem: string,
  about: MatrixNotes,
  layout: 'gptq' | 'awq' | 'packed',
  zeros: 'v1' | 'v2',
): Promise<QuantizedMatrix> {
  const get = (suffix: string, dtype: 'int32' | 'float16' | 'uint8') =>
    stored(source, file, `${stem}.${suffix}`, dtype);
  const { bits, groupSize, symmetric, perTensor } = about;
  if (layout === 'packed') return readPacked(file, stem, about, get);
  const qweight = (await get('qweight', 'int32')) as Tensor<'int32'>;
  const qzeros = (await get('qzeros', 'int32')) as Tensor<'int32'>;
  const scales = (await get('scales', 'float16')) as Tensor<'float16'>;
  let matrix: QuantizedMatrix;
  if (layout === 'awq') {
    matrix = unpackAwq({ qweight, qzeros, scales }, { file, name: stem });
  } else {
    const g_idx = (await get('g_idx', 'int32')) as Tensor<'int32'>;
    matrix = unpackGptq(
      { qweight, qzeros, scales, g_idx },
      { bits, groupSize, zeros, file, name: stem },
    );
  }
  if (matrix.shape.join() !== about.shape.join() || matrix.groupSize !== groupSize) {
    throw new InvalidFileError(
      file,
      `tensor "${stem}.qweight"`,
      `[${about.shape.join(', ')}] in groups of ${groupSize}`,
      `[${matrix.shape.join(', ')}] in groups of ${matrix.groupSize}`,
    );
  }
  return { ...matrix, symmetric, perTensor };
}

async function readPacked(
  file: string,
  stem: string,
  about: MatrixNotes,
  get: (suffix: string, dtype: 'float16' | 'uint8') => Promise<AnyTensor>,
): Promise<QuantizedMatrix> {
  const { shape, bits, groupSize, symmetric, perTensor } = about;
  const [outputs, inputs] = shape;
  const groups = (outputs * inputs) / groupSize;
  const kept = perTensor ? 1 : groups;
  const bytes = async (suffix: string, count: number): Promise<Uint8Array> => {
    const { data } = await get(suffix, 'uint8');
    const expected = packedBytes(count, bits);
    if (data.length !== expected) {
      const field = `tensor "${stem}.${suffix}"`;
      throw new InvalidFileError(file, field, `${expected} bytes`, `${data.length}`);
    }
    return unpackBits(data as Uint8Array, bits, count);
  };
  const scales = (await get('scales', 'float16')).data as Float16Array;
  if (scales.length !== kept) {
    const field = `tensor "${stem}.scales"`;
    throw new InvalidFileError(file, field, `${kept} scales`, `${scales.length}`);
  }
  const inputScales = about.inputScales
    ? Float32Array.from((await get('act_scales', 'float16')).data as Float16Array)
    : undefined;
  if (inputScales && (inputScales.length !== inputs || !inputScales.every(isPositive))) {
    const field = `tensor "${stem}.act_scales"`;
    const received = `${inputScales.length} numbers, ${inputScales.filter(isPositive).length} of them positive`;
    throw new InvalidFileError(file, field, `${inputs} positive numbers`, received);
  }
  const zeros = symmetric
    ? new Uint8Array(groups).fill(2 ** (bits - 1))
    : await bytes('zeros', kept);
  return {
    shape,
    bits,
    groupSize,
    codes: await bytes('codes', outputs * inputs),
    scales: perTensor
      ? new Float32Array(groups).fill(scales[0])
      : Float32Array.from(scales),
    zeros: perTensor && !symmetric ? new Uint8Array(groups).fill(zeros[0]) : zeros,
    symmetric,
    perTensor,
    ...(inputScales ? { inputScales } : {}),
  };
}

function isPositive(value: number): boolean {
  return value > 0 && Number.isFinite(value);
}
