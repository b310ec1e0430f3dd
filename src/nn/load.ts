/** Opens a language model on disk: a Hugging Face directory or a llama2.c checkpoint. */

import { readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { float32, type Shape, type Tensor } from '../array/tensor.ts';
import { loadTokenizer } from '../data/tokenizer/load.ts';
import type { Tokenizer } from '../data/tokenizer.ts';
import { InvalidFileError } from '../error.ts';
import { sha256OfFiles } from '../format/hash.ts';
import type { TensorSource } from '../format/safetensors.ts';
import { openSafetensors } from '../format/safetensors-directory.ts';
import { parseConfiguration } from './configuration.ts';
import { linearLayers } from './decoder/linear-layers.ts';
import { blockPrefix, parameterShapes } from './decoder/parameters.ts';
import { isLlama2c, loadLlama2c } from './llama2c.ts';
import type { LanguageModel, LanguageModelConfig, ParameterSource } from './model.ts';

/**
 * Opens a model without reading its weights: `config.json`, the headers of its safetensors
 * files and its tokenizer are read and checked, tensors are read when they are asked for.
 * `path` is a Hugging Face directory, or a llama2.c checkpoint (`.bin`, `.safetensors` or
 * the directory of one).
 *
 * @throws InvalidFileError naming the file and the field or tensor: unknown architecture,
 * missing tensor, wrong shape or type, truncated file, unsupported rotary scaling.
 */
export async function loadLanguageModel(
  path: string,
  signal?: AbortSignal,
): Promise<LanguageModel> {
  const status = await stat(path).catch(() => null);
  if (!status) {
    throw new InvalidFileError(path, 'path', 'a model directory', 'nothing there');
  }
  if (await isLlama2c(path)) return loadLlama2c(path, signal);
  if (!status.isDirectory()) {
    const expected = 'a directory with config.json, or a llama2.c checkpoint';
    throw new InvalidFileError(path, 'path', expected, 'a file');
  }
  const file = join(path, 'config.json');
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) {
    throw new InvalidFileError(file, 'file', 'the model configuration', 'no such file');
  }
  const config = parseConfiguration(text, file);
  const source = await openSafetensors(path);
  return {
    config,
    parameters: hubParameters(source, config, path),
    tokenizer: await tokenizerWithFiles(path),
    name: basename(resolve(path)),
    fingerprint: await sha256OfFiles([file, ...source.files], signal),
  };
}

/** Files that say how a tokenizer and a chat are used, and go where the model goes. */
const tokenizerFiles = [
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
  'generation_config.json',
];
const largestTokenizerFile = 2 ** 22;

async function tokenizerWithFiles(path: string): Promise<Tokenizer | null> {
  const tokenizer = await loadTokenizer(path);
  if (tokenizer === null) return null;
  const files: Record<string, string> = {};
  for (const name of tokenizerFiles) {
    const file = join(path, name);
    const status = await stat(file).catch(() => null);
    if (!status?.isFile() || status.size > largestTokenizerFile) continue;
    files[name] = await readFile(file, 'utf8');
  }
  return { ...tokenizer, files };
}

/** Tensors that files carry and that are computed instead. */
const ignored = /(rotary_emb\.inv_freq|attn\.(masked_)?bias)$/;

/**
 * The tensors of a model's files under their full names, linear weights as `[out, in]`.
 * Every tensor that the configuration calls for is there in its shape, and no other but
 * buffers and the copy of a tied head. `place` is named in errors.
 */
export function hubParameters(
  source: TensorSource,
  config: LanguageModelConfig,
  place: string,
): ParameterSource {
  const shapes = parameterShapes(config);
  const transposed = transposedNames(config);
  const stored = new Map<string, string>();
  for (const [name, shape] of Object.entries(shapes)) {
    const found = [name, name.replace(/^(transformer|model)\./, '')].find(source.has);
    const field = `tensor ${JSON.stringify(name)}`;
    if (found === undefined) {
      const shown = `no such tensor among ${source.names.length}`;
      const file = source.files.length === 1 ? source.files[0]! : place;
      throw new InvalidFileError(file, field, `shape [${shape.join(', ')}]`, shown);
    }
    checkStored(
      source,
      place,
      found,
      transposed.has(name) ? [...shape].reverse() : shape,
    );
    stored.set(name, found);
  }
  const used = new Set(stored.values());
  for (const name of source.names) {
    if (used.has(name) || ignored.test(name) || name === 'lm_head.weight') continue;
    const expected = `only tensors of a ${config.family} model of ${config.layers} layers`;
    throw new InvalidFileError(
      source.files.length === 1 ? source.files[0]! : place,
      `tensor ${JSON.stringify(name)}`,
      expected,
      'one it does not have',
    );
  }
  const storedName = (name: string): string => {
    const found = stored.get(name);
    if (found === undefined) throw new Error(`no parameter named ${name}`);
    return found;
  };
  return {
    names: Object.keys(shapes),
    describe: (name) => ({
      dtype: source.describe(storedName(name)).dtype,
      shape: shapes[name]!,
    }),
    read: async (name) => {
      const tensor = await source.read(storedName(name));
      return transposed.has(name) ? transpose(tensor) : tensor;
    },
  };
}

/** Full names of the weights that files of this family hold as `[in, out]`. */
export function transposedNames(config: LanguageModelConfig): ReadonlySet<string> {
  const names = new Set<string>();
  for (let layer = 0; layer < config.layers; layer++) {
    for (const linear of linearLayers(config)) {
      if (linear.storedTransposed) names.add(blockPrefix(config, layer) + linear.name);
    }
  }
  return names;
}

/** A matrix with rows and columns exchanged. */
export function transpose(tensor: Tensor): Tensor {
  const [rows = 0, columns = 0] = tensor.shape;
  const data = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      data[column * rows + row] = tensor.data[row * columns + column]!;
    }
  }
  return float32([columns, rows], data);
}

function checkStored(
  source: TensorSource,
  place: string,
  name: string,
  shape: Shape,
): void {
  const { dtype, shape: found } = source.describe(name);
  const file = source.files.length === 1 ? source.files[0]! : place;
  const field = `tensor ${JSON.stringify(name)}`;
  if (found.length !== shape.length || found.some((size, axis) => size !== shape[axis])) {
    const expected = `shape [${shape.join(', ')}]`;
    throw new InvalidFileError(file, field, expected, `[${found.join(', ')}]`);
  }
  if (dtype !== 'float32' && dtype !== 'float16' && dtype !== 'bfloat16') {
    throw new InvalidFileError(file, field, 'float32, float16 or bfloat16', dtype);
  }
}
