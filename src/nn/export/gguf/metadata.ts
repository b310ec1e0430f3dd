/** Metadata of a GGUF model: architecture, sizes and positions under llama.cpp's keys. */

import type { GgufTensorType, GgufValue } from '../../../format/gguf/index.ts';
import { rotaryFrequencies } from '../../decoder/positions.ts';
import type { LanguageModelConfig } from '../../model.ts';
import { architectureOf } from './names.ts';

export type Metadata = (readonly [key: string, value: GgufValue])[];

/** llama.cpp's numbers for what most tensors of a file are. */
const fileTypes: Readonly<Record<GgufTensorType, number>> = {
  F32: 0,
  F16: 1,
  Q4_0: 2,
  Q4_1: 3,
  Q8_0: 7,
  Q5_0: 8,
  Q5_1: 9,
  BF16: 32,
};

export function text(value: string): GgufValue {
  return { type: 'string', value };
}

export function count(value: number): GgufValue {
  return { type: 'uint32', value };
}

function real(value: number): GgufValue {
  return { type: 'float32', value: Math.fround(value) };
}

/** Keys that every file has, with the type of the largest part of its matrices. */
export function generalMetadata(
  config: LanguageModelConfig,
  name: string,
  tensors: readonly { readonly type: GgufTensorType; readonly byteLength: number }[],
): Metadata {
  const bytes = new Map<GgufTensorType, number>();
  for (const { type, byteLength } of tensors) {
    bytes.set(type, (bytes.get(type) ?? 0) + byteLength);
  }
  const quantized = [...bytes].filter(([type]) => type.startsWith('Q'));
  const ranked = (quantized.length > 0 ? quantized : [...bytes]).toSorted(
    (a, b) => b[1] - a[1],
  );
  return [
    ['general.architecture', text(architectureOf(config))],
    ['general.type', text('model')],
    ['general.name', text(name)],
    ['general.file_type', count(fileTypes[ranked[0]?.[0] ?? 'F32'])],
    ['general.quantization_version', count(2)],
  ];
}

/** Sizes, norms and positions of the architecture. */
export function architectureMetadata(config: LanguageModelConfig): Metadata {
  const architecture = architectureOf(config);
  const key = (name: string): string => `${architecture}.${name}`;
  const metadata: Metadata = [
    [key('vocab_size'), count(config.vocabularySize)],
    [key('context_length'), count(contextOf(config))],
    [key('embedding_length'), count(config.hiddenSize)],
    [key('block_count'), count(config.layers)],
    [key('feed_forward_length'), count(config.intermediateSize)],
    [key('attention.head_count'), count(config.heads)],
    [key('attention.head_count_kv'), count(config.keyValueHeads)],
  ];
  if (config.norm === 'layer') {
    metadata.push([key('attention.layer_norm_epsilon'), real(config.normEpsilon)]);
  } else {
    metadata.push(
      [key('attention.layer_norm_rms_epsilon'), real(config.normEpsilon)],
      [key('attention.key_length'), count(config.headSize)],
      [key('attention.value_length'), count(config.headSize)],
    );
  }
  if (config.positions !== 'rotary') return metadata;
  metadata.push(
    [key('rope.dimension_count'), count(config.headSize)],
    [key('rope.freq_base'), real(config.ropeTheta)],
  );
  if (config.ropeScaling?.type === 'linear') {
    metadata.push(
      [key('rope.scaling.type'), text('linear')],
      [key('rope.scaling.factor'), real(config.ropeScaling.factor)],
    );
  }
  return metadata;
}

/** llama.cpp attends to all earlier tokens: within one window that is the same. */
export function contextOf(config: LanguageModelConfig): number {
  return Math.min(config.contextLength, config.slidingWindow ?? Number.POSITIVE_INFINITY);
}

/**
 * What `rope_freqs.weight` holds for stretched positions: the divisor of each frequency,
 * `[headSize / 2]`; null for none.
 */
export function frequencyDivisors(config: LanguageModelConfig): Float32Array | null {
  if (config.ropeScaling?.type !== 'llama3') return null;
  const plain = rotaryFrequencies({ ...config, ropeScaling: null });
  const scaled = rotaryFrequencies(config);
  return Float32Array.from(plain, (frequency, pair) => frequency / scaled[pair]!);
}
