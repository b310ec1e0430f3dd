/** Attention of an exported graph: ONNX Runtime's fused operator, or plain operators. */

import type { GraphBuilder } from '../../../array/onnx/index.ts';
import { float32 } from '../../../array/tensor.ts';
import { rotaryAngles } from '../../decoder/positions.ts';
import type { LanguageModelConfig } from '../../model.ts';
import { type GraphParts, runtimeDomain } from './linear.ts';

/**
 * What a graph gives back of keys and values: `present` all of them, as decoder models are
 * exchanged, `added` only those of this call's tokens, for a host that keeps one buffer.
 */
export type CacheStyle = 'present' | 'added';

/** Values that all layers share. */
export interface AttentionInputs {
  readonly fused: boolean;
  readonly cache: CacheStyle;
  /** Positions of this call's first token and behind its last, int64 `[1]`. */
  readonly first: string;
  readonly total: string;
  /** Tokens of this call, int64 `[1]`. */
  readonly length: string;
  /** For the fused operator: last key position by sequence, int32 `[batch]`. */
  readonly lastKeys: string;
  /** The same total as an int32 scalar. */
  readonly totalScalar: string;
  /** Tables `[contextLength, headSize / 2]`; null for learned positions. */
  readonly angles: { readonly cosine: string; readonly sine: string } | null;
  /** For plain operators: positions of this call's tokens, int64 `[length]`. */
  readonly positions: string;
  /** For plain operators: 0 or a large negative number, `[batch, 1, 1, length, total]`. */
  readonly mask: string;
}

/** Keys and values with a name each. */
export interface KeyValues {
  readonly key: string;
  readonly value: string;
}

/** Whether the fused operator computes this model's attention. */
export function canFuse(config: LanguageModelConfig): boolean {
  const window = config.slidingWindow ?? null;
  return (
    config.headSize % 16 === 0 && (window === null || window >= config.contextLength)
  );
}

/** Builds what the layers share from `input_ids` and `attention_mask`. */
export function attentionInputs(
  parts: GraphParts,
  ids: string,
  attentionMask: string,
  choice: { readonly fused: boolean; readonly cache: CacheStyle },
): AttentionInputs {
  const { builder, source, weights } = parts;
  const { config } = source;
  const axis = (of: string): string => builder.add('Shape', [of], { start: 1, end: 2 });
  const length = axis(ids);
  const total = axis(attentionMask);
  const first = builder.add('Sub', [total, length]);
  const counted = builder.add('ReduceSum', [attentionMask, builder.integers([1])], {
    keepdims: 0,
  });
  const lastKeys = builder.add('Sub', [counted, builder.integers([1])]);
  const scalar = (of: string): string => builder.add('Squeeze', [of]);
  const one = builder.constant({ dtype: 'int64', shape: [], data: BigInt64Array.of(1n) });
  const positions = builder.add('Range', [scalar(first), scalar(total), one]);
  const table = (name: 'cosine' | 'sine'): string =>
    weights.add(
      `rotary.${name}`,
      'float32',
      [config.contextLength, config.headSize / 2],
      async () => rotaryAngles(config, 0, config.contextLength)[name].data,
    );
  return {
    ...choice,
    first,
    total,
    length,
    lastKeys: builder.add('Cast', [lastKeys], { to: 6 }),
    totalScalar: builder.add('Cast', [scalar(total)], { to: 6 }),
    angles:
      config.positions === 'rotary'
        ? { cosine: table('cosine'), sine: table('sine') }
        : null,
    positions,
    mask: choice.fused
      ? ''
      : causalMask(builder, config, positions, total, attentionMask),
  };
}

/** Masks the future, positions before the window and padding. */
function causalMask(
  builder: GraphBuilder,
  config: LanguageModelConfig,
  positions: string,
  total: string,
  attentionMask: string,
): string {
  const integer = (value: number): string =>
    builder.constant({
      dtype: 'int64',
      shape: [],
      data: BigInt64Array.of(BigInt(value)),
    });
  const end = builder.add('Squeeze', [total]);
  const keys = builder.add('Range', [integer(0), end, integer(1)]);
  const queries = builder.add('Unsqueeze', [positions, builder.integers([1])]);
  let seen = builder.add('LessOrEqual', [keys, queries]);
  const window = config.slidingWindow ?? null;
  if (window !== null) {
    const before = builder.add('Sub', [queries, integer(window)]);
    seen = builder.add('And', [seen, builder.add('Greater', [keys, before])]);
  }
  const real = builder.add('Unsqueeze', [
    builder.add('Cast', [attentionMask], { to: 9 }),
    builder.integers([1, 2, 3]),
  ]);
  return builder.add('Where', [
    builder.add('And', [seen, real]),
    builder.constant(float32([], Float32Array.of(0))),
    builder.constant(float32([], Float32Array.of(-1e30))),
  ]);
}

/**
 * Attention of one layer over projected queries `[batch, length, heads * headSize]`, keys
 * and values `[batch, length, keyValueHeads * headSize]` and the cache of earlier tokens.
 */
export function attention(
  parts: GraphParts,
  inputs: AttentionInputs,
  queries: string,
  added: KeyValues,
  past: KeyValues,
): { readonly context: string; readonly cache: KeyValues } {
  const build = inputs.fused ? fusedAttention : plainAttention;
  return build(parts, inputs, queries, added, past);
}

function fusedAttention(
  parts: GraphParts,
  inputs: AttentionInputs,
  queries: string,
  added: KeyValues,
  past: KeyValues,
): { readonly context: string; readonly cache: KeyValues } {
  const { builder, source } = parts;
  const { heads, keyValueHeads } = source.config;
  const [context, key, value] = builder.node(
    'GroupQueryAttention',
    [
      queries,
      added.key,
      added.value,
      past.key,
      past.value,
      inputs.lastKeys,
      inputs.totalScalar,
      ...(inputs.angles ? [inputs.angles.cosine, inputs.angles.sine] : []),
    ],
    {
      num_heads: heads,
      kv_num_heads: keyValueHeads,
      do_rotary: inputs.angles ? 1 : 0,
      rotary_interleaved: 0,
    },
    { ...runtimeDomain, outputs: 3 },
  ) as [string, string, string];
  if (inputs.cache === 'present') return { context, cache: { key, value } };
  const latest = (of: string): string =>
    builder.add('Slice', [of, inputs.first, inputs.total, builder.integers([2])]);
  return { context, cache: { key: latest(key), value: latest(value) } };
}

function plainAttention(
  parts: GraphParts,
  inputs: AttentionInputs,
  queries: string,
  added: KeyValues,
  past: KeyValues,
): { readonly context: string; readonly cache: KeyValues } {
  const { builder, source } = parts;
  const { heads, keyValueHeads, headSize } = source.config;
  const split = (x: string, count: number): string =>
    builder.add(
      'Transpose',
      [builder.add('Reshape', [x, builder.integers([0, 0, count, headSize])])],
      { perm: [0, 2, 1, 3] },
    );
  const turned = (x: string): string =>
    inputs.angles ? rotated(builder, inputs, x, headSize) : x;
  const query = turned(split(queries, heads));
  const key = turned(split(added.key, keyValueHeads));
  const value = split(added.value, keyValueHeads);
  const earlier = (of: string): string =>
    inputs.cache === 'present'
      ? of
      : builder.add('Slice', [
          of,
          builder.integers([0]),
          inputs.first,
          builder.integers([2]),
        ]);
  const keys = builder.add('Concat', [earlier(past.key), key], { axis: 2 });
  const values = builder.add('Concat', [earlier(past.value), value], { axis: 2 });
  const scale = builder.constant(float32([], Float32Array.of(1 / Math.sqrt(headSize))));
  const shape = (...sizes: readonly string[]): string =>
    builder.add('Concat', sizes, { axis: 0 });
  const perKeyHead = heads / keyValueHeads;
  const grouped = builder.add('Reshape', [
    builder.add('Mul', [query, scale]),
    builder.integers([0, keyValueHeads, -1, headSize]),
  ]);
  const scores = builder.add('Reshape', [
    builder.add('MatMul', [
      grouped,
      builder.add('Transpose', [keys], { perm: [0, 1, 3, 2] }),
    ]),
    shape(
      builder.integers([0, keyValueHeads, perKeyHead]),
      inputs.length,
      builder.integers([-1]),
    ),
  ]);
  const shares = builder.add('Softmax', [builder.add('Add', [scores, inputs.mask])], {
    axis: -1,
  });
  const flat = builder.add('Reshape', [
    shares,
    shape(builder.integers([0, keyValueHeads, -1]), inputs.total),
  ]);
  const mixed = builder.add('Reshape', [
    builder.add('MatMul', [flat, values]),
    builder.integers([0, heads, -1, headSize]),
  ]);
  const context = builder.add('Reshape', [
    builder.add('Transpose', [mixed], { perm: [0, 2, 1, 3] }),
    builder.integers([0, 0, heads * headSize]),
  ]);
  return {
    context,
    cache: inputs.cache === 'present' ? { key: keys, value: values } : { key, value },
  };
}

/** Turns the pairs `(i, i + headSize / 2)` of `[batch, heads, length, headSize]`. */
function rotated(
  builder: GraphBuilder,
  inputs: AttentionInputs,
  x: string,
  headSize: number,
): string {
  const angles = inputs.angles!;
  const cosine = builder.add('Gather', [angles.cosine, inputs.positions], { axis: 0 });
  const sine = builder.add('Gather', [angles.sine, inputs.positions], { axis: 0 });
  const half = headSize / 2;
  const [low, high] = builder.node(
    'Split',
    [x, builder.integers([half, half])],
    { axis: -1 },
    {
      outputs: 2,
    },
  ) as [string, string];
  const product = (a: string, b: string): string => builder.add('Mul', [a, b]);
  return builder.add(
    'Concat',
    [
      builder.add('Sub', [product(low, cosine), product(high, sine)]),
      builder.add('Add', [product(high, cosine), product(low, sine)]),
    ],
    { axis: -1 },
  );
}
