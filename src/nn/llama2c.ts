/** Opens llama2.c checkpoints (`.bin` version 0, or the same as safetensors) as LLaMA models. */

import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { elementCount, float32, type Shape, type Tensor } from '../array/tensor.ts';
import { llama2cTokens, loadLlama2cTokenizer } from '../data/tokenizer/llama2c.ts';
import type { Tokenizer } from '../data/tokenizer.ts';
import { InvalidFileError } from '../error.ts';
import { sha256OfFiles } from '../format/hash.ts';
import { openSafetensors } from '../format/safetensors-directory.ts';
import { parameterShapes } from './decoder/parameters.ts';
import {
  type LanguageModel,
  type LanguageModelConfig,
  memoryParameters,
} from './model.ts';

/** Our local names of a block's tensors, by llama2.c's. */
const blockNames: Readonly<Record<string, string>> = {
  'attention_norm.weight': 'input_layernorm.weight',
  'attention.wq.weight': 'self_attn.q_proj.weight',
  'attention.wk.weight': 'self_attn.k_proj.weight',
  'attention.wv.weight': 'self_attn.v_proj.weight',
  'attention.wo.weight': 'self_attn.o_proj.weight',
  'ffn_norm.weight': 'post_attention_layernorm.weight',
  'feed_forward.w1.weight': 'mlp.gate_proj.weight',
  'feed_forward.w2.weight': 'mlp.down_proj.weight',
  'feed_forward.w3.weight': 'mlp.up_proj.weight',
};

/** Order of the tensors in a version 0 file: each kind for all layers, then the next. */
const binaryOrder = [
  'attention_norm.weight',
  'attention.wq.weight',
  'attention.wk.weight',
  'attention.wv.weight',
  'attention.wo.weight',
  'ffn_norm.weight',
  'feed_forward.w1.weight',
  'feed_forward.w2.weight',
  'feed_forward.w3.weight',
] as const;

/** Whether a path is a llama2.c checkpoint, or a directory with one and no `config.json`. */
export async function isLlama2c(path: string): Promise<boolean> {
  return (await checkpointFile(path)) !== null;
}

async function checkpointFile(path: string): Promise<string | null> {
  const status = await stat(path);
  if (status.isDirectory()) {
    const names = (await readdir(path)).sort();
    if (names.includes('config.json')) return null;
    const file =
      names.find((name) => name.endsWith('.safetensors') && !name.startsWith('model')) ??
      names.find((name) => name.endsWith('.bin') && !/^(tok|pytorch)/.test(name));
    return file === undefined ? null : checkpointFile(join(path, file));
  }
  if (extname(path) === '.bin') return path;
  if (extname(path) !== '.safetensors') return null;
  const source = await openSafetensors(path);
  return source.has('tok_embeddings.weight') ? path : null;
}

/**
 * Opens a llama2.c checkpoint. Rows of the query and key weights are reordered from pairs of
 * neighbours (2i, 2i + 1) to halves, so that the rotary positions are LLaMA's.
 *
 * @throws InvalidFileError for sizes that do not fit, a missing tensor or a truncated file.
 */
export async function loadLlama2c(
  path: string,
  signal?: AbortSignal,
): Promise<LanguageModel> {
  const file = await checkpointFile(path);
  if (file === null) {
    throw new InvalidFileError(path, 'path', 'a llama2.c checkpoint', 'none');
  }
  const { config, tensors } =
    extname(file) === '.bin' ? await readBinary(file) : await readTensors(file);
  const checked: Record<string, Tensor> = {};
  for (const [name, shape] of Object.entries(parameterShapes(config))) {
    const tensor = tensors[name];
    const field = `tensor ${JSON.stringify(name)}`;
    const expected = `shape [${shape.join(', ')}]`;
    if (!tensor) throw new InvalidFileError(file, field, expected, 'no such tensor');
    if (tensor.shape.join() !== shape.join()) {
      throw new InvalidFileError(file, field, expected, `[${tensor.shape.join(', ')}]`);
    }
    const heads = name.endsWith('q_proj.weight')
      ? config.heads
      : name.endsWith('k_proj.weight')
        ? config.keyValueHeads
        : 0;
    checked[name] = heads > 0 ? halvesFromPairs(tensor, heads) : tensor;
  }
  const directory = dirname(file);
  const tokenizerFile = await tokenizerPath(directory, config.vocabularySize);
  const tokenizer: Tokenizer | null = tokenizerFile
    ? await loadLlama2cTokenizer(tokenizerFile)
    : null;
  return {
    config,
    parameters: memoryParameters(checked),
    tokenizer,
    name: basename(file, extname(file)),
    fingerprint: await sha256OfFiles([file], signal),
  };
}

/** Rows `2i + part` of each head moved to `part * headSize / 2 + i`. */
function halvesFromPairs(tensor: Tensor, heads: number): Tensor {
  const [rows = 0, columns = 0] = tensor.shape;
  const headSize = rows / heads;
  const data = new Float32Array(tensor.data.length);
  for (let row = 0; row < rows; row++) {
    const within = row % headSize;
    const target = row - within + (within % 2) * (headSize / 2) + (within >> 1);
    const values = tensor.data.subarray(row * columns, (row + 1) * columns);
    data.set(values, target * columns);
  }
  return float32(tensor.shape, data);
}

async function tokenizerPath(
  directory: string,
  vocabularySize: number,
): Promise<string | null> {
  const names = await readdir(directory);
  const found = [`tok${vocabularySize}.bin`, 'tokenizer.bin'].find((name) =>
    names.includes(name),
  );
  return found === undefined ? null : join(directory, found);
}

interface Sizes {
  readonly dim: number;
  readonly hidden_dim: number;
  readonly n_layers: number;
  readonly n_heads: number;
  readonly n_kv_heads: number;
  readonly vocab_size: number;
  readonly max_seq_len: number;
}

const sizeNames = [
  'dim',
  'hidden_dim',
  'n_layers',
  'n_heads',
  'n_kv_heads',
  'vocab_size',
  'max_seq_len',
] as const satisfies readonly (keyof Sizes)[];

function configurationOf(
  file: string,
  sizes: Readonly<Record<string, unknown>>,
  tiedHead: boolean,
): LanguageModelConfig {
  for (const name of sizeNames) {
    const value = sizes[name];
    if (!Number.isSafeInteger(value) || (value as number) < 1) {
      const received = JSON.stringify(value) ?? 'nothing';
      throw new InvalidFileError(file, name, 'a whole number above 0', received);
    }
  }
  const known = sizes as unknown as Sizes;
  const headSize = known.dim / known.n_heads;
  if (!Number.isInteger(headSize / 2) || known.n_heads % known.n_kv_heads !== 0) {
    const received = `dim ${known.dim}, n_heads ${known.n_heads}, n_kv_heads ${known.n_kv_heads}`;
    throw new InvalidFileError(file, 'n_heads', 'heads that divide the sizes', received);
  }
  return {
    family: 'llama',
    vocabularySize: known.vocab_size,
    hiddenSize: known.dim,
    intermediateSize: known.hidden_dim,
    layers: known.n_layers,
    heads: known.n_heads,
    keyValueHeads: known.n_kv_heads,
    headSize,
    contextLength: known.max_seq_len,
    norm: 'rms',
    normEpsilon: typeof sizes.norm_eps === 'number' ? sizes.norm_eps : 1e-5,
    positions: 'rotary',
    ropeTheta: typeof sizes.rope_theta === 'number' ? sizes.rope_theta : 10000,
    ropeScaling: null,
    slidingWindow: null,
    activation: 'silu-gated',
    queryKeyValueBias: false,
    outputBias: false,
    queryKeyNorm: false,
    tiedHead,
    beginToken: llama2cTokens.begin,
    endToken: llama2cTokens.end,
  };
}

interface Contents {
  readonly config: LanguageModelConfig;
  readonly tensors: Record<string, Tensor>;
}

async function readTensors(file: string): Promise<Contents> {
  const source = await openSafetensors(file);
  const text = source.metadata.get('config') ?? '';
  let sizes: unknown;
  try {
    sizes = JSON.parse(text);
  } catch {
    sizes = null;
  }
  if (typeof sizes !== 'object' || sizes === null) {
    const received = text === '' ? 'nothing' : JSON.stringify(text.slice(0, 40));
    throw new InvalidFileError(file, '__metadata__.config', 'JSON sizes', received);
  }
  const tied = !source.has('output.weight');
  const tensors: Record<string, Tensor> = {};
  for (const name of source.names) tensors[ourName(name)] = await source.read(name);
  const config = configurationOf(file, sizes as Record<string, unknown>, tied);
  return { config, tensors };
}

function ourName(name: string): string {
  if (name === 'tok_embeddings.weight') return 'model.embed_tokens.weight';
  if (name === 'norm.weight') return 'model.norm.weight';
  if (name === 'output.weight') return 'lm_head.weight';
  const parts = /^layers\.(\d+)\.(.+)$/.exec(name);
  const local = parts ? blockNames[parts[2]!] : undefined;
  return local === undefined ? name : `model.layers.${parts![1]}.${local}`;
}

async function readBinary(file: string): Promise<Contents> {
  const bytes = new Uint8Array(await readFile(file));
  const headerBytes = sizeNames.length * 4;
  if (bytes.length < headerBytes) {
    const received = `${bytes.length} bytes: the file is truncated`;
    throw new InvalidFileError(file, 'header', `${headerBytes} bytes`, received);
  }
  const view = new DataView(bytes.buffer);
  const sizes: Record<string, number> = {};
  sizeNames.forEach((name, index) => {
    sizes[name] = view.getInt32(index * 4, true);
  });
  // A negative vocabulary size marks a head of its own.
  const tied = sizes.vocab_size! > 0;
  sizes.vocab_size = Math.abs(sizes.vocab_size!);
  const config = configurationOf(file, sizes, tied);
  const shapes = parameterShapes(config);
  const tensors: Record<string, Tensor> = {};
  let position = headerBytes;
  const skip = (count: number, name: string): number => {
    const start = position;
    position += count * 4;
    if (position > bytes.length) {
      const field = `tensor ${JSON.stringify(name)}`;
      const received = `${bytes.length} bytes in the file: it is truncated`;
      throw new InvalidFileError(file, field, `bytes up to ${position}`, received, start);
    }
    return start;
  };
  const take = (name: string, shape: Shape): void => {
    const count = elementCount(shape);
    const start = skip(count, name);
    tensors[name] = float32(
      shape,
      new Float32Array(bytes.buffer.slice(start, start + 4 * count)),
    );
  };
  const takeNamed = (name: string): void => take(name, shapes[name]!);
  takeNamed('model.embed_tokens.weight');
  for (const kind of binaryOrder) {
    for (let layer = 0; layer < config.layers; layer++) {
      takeNamed(ourName(`layers.${layer}.${kind}`));
    }
  }
  takeNamed('model.norm.weight');
  // Old rotary tables, a cosine and a sine for each position and pair.
  skip(config.contextLength * config.headSize, 'rotary tables');
  if (!tied) takeNamed('lm_head.weight');
  return { config, tensors };
}
