/** The whole decoder as an ONNX graph with a key-value cache, weights left to be loaded later. */

import { GraphBuilder, type OnnxModel } from '../../../array/onnx/index.ts';
import { blockNorms, blockPrefix, parameterNames } from '../../decoder/parameters.ts';
import type { ExportSource } from '../source.ts';
import {
  type AttentionInputs,
  attention,
  attentionInputs,
  type CacheStyle,
  canFuse,
  type KeyValues,
} from './attention.ts';
import { type AccuracyLevel, constant, type GraphParts, linear } from './linear.ts';
import { type LazyWeight, type OnnxTensorReport, WeightList } from './weights.ts';

export interface DecoderGraphOptions {
  /** How MatMulNBits multiplies (default 4). */
  readonly accuracyLevel?: AccuracyLevel;
  /** `present` (default) as decoder models are exchanged, `added` for our own decoder. */
  readonly cache?: CacheStyle;
  /** `plain` avoids ONNX Runtime's fused attention operator even where it would do. */
  readonly attention?: 'fused' | 'plain';
}

export interface DecoderGraph {
  /** Without the weights. */
  readonly model: OnnxModel;
  readonly weights: readonly LazyWeight[];
  readonly tensors: readonly OnnxTensorReport[];
  readonly attention: 'fused' | 'plain';
}

/** Name of a cache input or output of a layer. */
export function cacheName(
  kind: 'past_key_values' | CacheStyle,
  layer: number,
  part: 'key' | 'value',
): string {
  return `${kind}.${layer}.${part}`;
}

/**
 * The graph of a model. Inputs: `input_ids` int64 `[batch, sequence]`, `attention_mask` int64
 * `[batch, past + sequence]`, `past_key_values.N.key` and `.value` float32
 * `[batch, keyValueHeads, past, headSize]`. Outputs: `logits` float32
 * `[batch, sequence, vocabulary]` and the cache, `present.N.key` and `.value`. Sequences of
 * one batch have the same length, or padding at their ends.
 */
export function decoderGraph(
  source: ExportSource,
  options: DecoderGraphOptions = {},
): DecoderGraph {
  const { accuracyLevel = 4, cache = 'present' } = options;
  const fused = options.attention !== 'plain' && canFuse(source.config);
  const builder = new GraphBuilder('decoder');
  const weights = new WeightList(builder);
  const parts: GraphParts = { builder, source, weights, accuracyLevel };
  const { config } = source;
  const ids = builder.input('input_ids', 'int64', ['batch_size', 'sequence_length']);
  const mask = builder.input('attention_mask', 'int64', [
    'batch_size',
    'total_sequence_length',
  ]);
  const inputs = attentionInputs(parts, ids, mask, { fused, cache });
  let hidden = embedding(parts, inputs, ids);
  for (let layer = 0; layer < config.layers; layer++) {
    hidden = block(parts, inputs, layer, hidden);
  }
  const logits = head(parts, hidden);
  builder.node('Identity', [logits], {}, { outputs: ['logits'] });
  builder.output('logits', 'float32', [
    'batch_size',
    'sequence_length',
    config.vocabularySize,
  ]);
  return {
    model: builder.model(),
    weights: weights.weights,
    tensors: weights.reports,
    attention: fused ? 'fused' : 'plain',
  };
}

function embedding(parts: GraphParts, inputs: AttentionInputs, ids: string): string {
  const { builder, source } = parts;
  const names = parameterNames(source.config);
  const tokens = builder.add('Gather', [table(parts, names.embedding), ids], { axis: 0 });
  if (names.positions === null) return tokens;
  const positions = builder.add(
    'Gather',
    [table(parts, names.positions), inputs.positions],
    { axis: 0 },
  );
  return builder.add('Add', [tokens, positions]);
}

function table(parts: GraphParts, name: string): string {
  const { source, weights } = parts;
  const before = weights.count;
  const load = async (): Promise<Float32Array> => (await source.read(name)).data;
  const added = weights.add(name, 'float32', source.shapes[name]!, load);
  weights.record(name, 'Gather', before);
  return added;
}

function normed(
  parts: GraphParts,
  names: { readonly weight: string; readonly bias: string | null },
  x: string,
): string {
  const { builder, source } = parts;
  const epsilon = { float: source.config.normEpsilon };
  const weight = constant(parts, names.weight);
  if (names.bias === null) {
    return builder.add('SimplifiedLayerNormalization', [x, weight], {
      axis: -1,
      epsilon,
    });
  }
  const bias = constant(parts, names.bias);
  return builder.add('LayerNormalization', [x, weight, bias], { axis: -1, epsilon });
}

function block(
  parts: GraphParts,
  inputs: AttentionInputs,
  layer: number,
  hidden: string,
): string {
  const { builder, source } = parts;
  const { config } = source;
  const prefix = blockPrefix(config, layer);
  const full = (names: { readonly weight: string; readonly bias: string | null }) => ({
    weight: prefix + names.weight,
    bias: names.bias === null ? null : prefix + names.bias,
  });
  const norms = blockNorms(config);
  const x = normed(parts, full(norms.attention), hidden);
  const [queries, added] = projections(parts, prefix, x);
  const past = cacheInputs(parts, layer);
  const { context, cache } = attention(parts, inputs, queries, added, past);
  cacheOutputs(parts, inputs.cache, layer, cache);
  const output = config.family === 'gpt2' ? 'attn.c_proj' : 'self_attn.o_proj';
  const middle = builder.add('Add', [hidden, layerOf(parts, prefix + output, context)]);
  const y = normed(parts, full(norms.feedForward), middle);
  return builder.add('Add', [middle, feedForward(parts, prefix, y)]);
}

/** The linear layer of that name, with its bias where the architecture has one. */
function layerOf(parts: GraphParts, name: string, x: string): string {
  const bias = `${name}.bias`;
  return linear(parts, x, `${name}.weight`, bias in parts.source.shapes ? bias : null);
}

function projections(
  parts: GraphParts,
  prefix: string,
  x: string,
): readonly [queries: string, added: KeyValues] {
  const { builder, source } = parts;
  const { config } = source;
  if (config.family === 'gpt2') {
    const width = config.heads * config.headSize;
    const [queries, key, value] = builder.node(
      'Split',
      [
        layerOf(parts, `${prefix}attn.c_attn`, x),
        builder.integers([width, width, width]),
      ],
      { axis: -1 },
      { outputs: 3 },
    ) as [string, string, string];
    return [queries, { key, value }];
  }
  const queries = layerOf(parts, `${prefix}self_attn.q_proj`, x);
  const key = layerOf(parts, `${prefix}self_attn.k_proj`, x);
  const value = layerOf(parts, `${prefix}self_attn.v_proj`, x);
  if (!config.queryKeyNorm) return [queries, { key, value }];
  const byHead = (of: string, name: string, heads: number): string => {
    const split = builder.integers([0, 0, heads, config.headSize]);
    const joined = builder.integers([0, 0, heads * config.headSize]);
    const weight = `${prefix}self_attn.${name}.weight`;
    const heads4 = builder.add('Reshape', [of, split]);
    return builder.add('Reshape', [
      normed(parts, { weight, bias: null }, heads4),
      joined,
    ]);
  };
  return [
    byHead(queries, 'q_norm', config.heads),
    { key: byHead(key, 'k_norm', config.keyValueHeads), value },
  ];
}

function feedForward(parts: GraphParts, prefix: string, x: string): string {
  const { builder, source } = parts;
  if (source.config.activation === 'gelu-tanh') {
    const wide = layerOf(parts, `${prefix}mlp.c_fc`, x);
    const active = builder.add('Gelu', [wide], { approximate: 'tanh' });
    return layerOf(parts, `${prefix}mlp.c_proj`, active);
  }
  const gate = layerOf(parts, `${prefix}mlp.gate_proj`, x);
  const active = builder.add('Mul', [gate, builder.add('Sigmoid', [gate])]);
  const up = layerOf(parts, `${prefix}mlp.up_proj`, x);
  return layerOf(parts, `${prefix}mlp.down_proj`, builder.add('Mul', [active, up]));
}

function cacheInputs(parts: GraphParts, layer: number): KeyValues {
  const { builder, source } = parts;
  const { keyValueHeads, headSize } = source.config;
  const shape = ['batch_size', keyValueHeads, 'past_sequence_length', headSize];
  const input = (part: 'key' | 'value'): string =>
    builder.input(cacheName('past_key_values', layer, part), 'float32', shape);
  return { key: input('key'), value: input('value') };
}

function cacheOutputs(
  parts: GraphParts,
  style: CacheStyle,
  layer: number,
  cache: KeyValues,
): void {
  const { builder, source } = parts;
  const { keyValueHeads, headSize } = source.config;
  const length = style === 'present' ? 'total_sequence_length' : 'sequence_length';
  for (const part of ['key', 'value'] as const) {
    const name = cacheName(style, layer, part);
    builder.node('Identity', [cache[part]], {}, { outputs: [name] });
    builder.output(name, 'float32', ['batch_size', keyValueHeads, length, headSize]);
  }
}

/** Logits: a tied head multiplies by the embedding table as it lies, without a copy of it. */
function head(parts: GraphParts, hidden: string): string {
  const { builder, source } = parts;
  const { config } = source;
  const names = parameterNames(config);
  const x = normed(parts, { weight: names.finalNorm, bias: names.finalNormBias }, hidden);
  if (!config.tiedHead) return linear(parts, x, names.head, null);
  const rows = builder.add('Reshape', [x, builder.integers([-1, config.hiddenSize])]);
  const product = builder.add('Gemm', [rows, names.embedding], { transB: 1 });
  const leading = builder.add('Shape', [x], { start: 0, end: 2 });
  const shape = builder.add(
    'Concat',
    [leading, builder.integers([config.vocabularySize])],
    { axis: 0 },
  );
  return builder.add('Reshape', [product, shape]);
}
