/** `config.json` of a Hugging Face model to and from our configuration. */

import { AssayError, InvalidFileError } from '../error.ts';
import type { LanguageModelConfig, RopeScaling } from './model.ts';

const families = ['llama', 'mistral', 'qwen2', 'qwen3', 'gpt2'] as const;

/** Fields of a JSON object, read with the file's name at hand. */
class Fields {
  readonly file: string;
  readonly values: Readonly<Record<string, unknown>>;

  constructor(file: string, values: Readonly<Record<string, unknown>>) {
    this.file = file;
    this.values = values;
  }

  /** A whole number above 0; throws when it is absent and there is no default. */
  count(name: string, otherwise?: number): number {
    const value = this.values[name] ?? otherwise;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0)
      return value;
    return this.refuse(name, 'a whole number above 0');
  }

  /** A number above 0. */
  positive(name: string, otherwise?: number): number {
    const value = this.values[name] ?? otherwise;
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
    return this.refuse(name, 'a number above 0');
  }

  flag(name: string, otherwise: boolean): boolean {
    const value = this.values[name] ?? otherwise;
    return typeof value === 'boolean' ? value : this.refuse(name, 'true or false');
  }

  /** A token id, the first of several, or null. */
  token(name: string): number | null {
    const value = this.values[name];
    const first = Array.isArray(value) ? value[0] : value;
    if (first === null || first === undefined) return null;
    if (Number.isSafeInteger(first) && first >= 0) return first;
    return this.refuse(name, 'a token id');
  }

  refuse(name: string, expected: string): never {
    const received = JSON.stringify(this.values[name]) ?? 'nothing';
    throw new InvalidFileError(this.file, name, expected, received);
  }
}

/**
 * Reads the text of a `config.json`; `file` is named in errors.
 *
 * @throws InvalidFileError naming the field: unknown architecture, a size that is missing or
 * does not fit, an activation, rotary scaling or layer pattern that is not supported.
 */
export function parseConfiguration(text: string, file: string): LanguageModelConfig {
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch (error) {
    throw new InvalidFileError(file, 'file', 'JSON', (error as Error).message);
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw new InvalidFileError(file, 'file', 'a JSON object', 'another value');
  }
  const fields = new Fields(file, values as Record<string, unknown>);
  if (fields.values.quantization_config !== undefined) {
    fields.refuse('quantization_config', 'a model that is not quantized yet');
  }
  const family = families.find((name) => name === fields.values.model_type);
  if (!family) return fields.refuse('model_type', `one of ${families.join(', ')}`);
  return family === 'gpt2' ? parseGpt2(fields) : parseRotary(fields, family);
}

function parseRotary(
  fields: Fields,
  family: Exclude<LanguageModelConfig['family'], 'gpt2'>,
): LanguageModelConfig {
  const { values } = fields;
  const hiddenSize = fields.count('hidden_size');
  const heads = fields.count('num_attention_heads');
  const keyValueHeads = fields.count('num_key_value_heads', heads);
  if (heads % keyValueHeads !== 0) {
    fields.refuse('num_key_value_heads', `a divisor of the ${heads} attention heads`);
  }
  if (values.head_dim == null && hiddenSize % heads !== 0) {
    fields.refuse('num_attention_heads', `a divisor of hidden_size ${hiddenSize}`);
  }
  const headSize = fields.count('head_dim', hiddenSize / heads);
  if (headSize % 2 !== 0) {
    fields.refuse('head_dim', 'an even number, as rotary positions pair elements');
  }
  if ((values.hidden_act ?? 'silu') !== 'silu') fields.refuse('hidden_act', '"silu"');
  if (fields.flag('mlp_bias', false)) fields.refuse('mlp_bias', 'false');
  if (positive(values.partial_rotary_factor, 1) !== 1) {
    fields.refuse('partial_rotary_factor', '1');
  }
  const attentionBias = fields.flag('attention_bias', false);
  const layers = fields.count('num_hidden_layers');
  const rotary = rotaryFields(fields);
  return {
    family,
    vocabularySize: fields.count('vocab_size'),
    hiddenSize,
    intermediateSize: fields.count('intermediate_size'),
    layers,
    heads,
    keyValueHeads,
    headSize,
    contextLength: fields.count('max_position_embeddings', 2048),
    norm: 'rms',
    normEpsilon: fields.positive('rms_norm_eps', 1e-6),
    positions: 'rotary',
    ...rotary,
    slidingWindow: slidingWindow(fields, family, layers),
    activation: 'silu-gated',
    queryKeyValueBias: family === 'qwen2' || attentionBias,
    outputBias: family !== 'qwen2' && attentionBias,
    queryKeyNorm: family === 'qwen3',
    tiedHead: fields.flag('tie_word_embeddings', false),
    beginToken: fields.token('bos_token_id'),
    endToken: fields.token('eos_token_id'),
  };
}

function positive(value: unknown, otherwise: number): unknown {
  return value ?? otherwise;
}

function rotaryFields(fields: Fields): {
  ropeTheta: number;
  ropeScaling: RopeScaling | null;
} {
  // Newer files gather the rotary settings in one object.
  const gathered = fields.values.rope_parameters;
  const place = gathered == null ? 'rope_scaling' : 'rope_parameters';
  const value = fields.values[place];
  if (value == null) {
    return { ropeTheta: fields.positive('rope_theta', 10000), ropeScaling: null };
  }
  if (typeof value !== 'object' || Array.isArray(value)) {
    return fields.refuse(place, 'an object or null');
  }
  const inner = new Fields(fields.file, value as Record<string, unknown>);
  const ropeTheta =
    inner.values.rope_theta == null
      ? fields.positive('rope_theta', 10000)
      : inner.positive('rope_theta');
  const type = inner.values.rope_type ?? inner.values.type ?? 'default';
  switch (type) {
    case 'default':
      return { ropeTheta, ropeScaling: null };
    case 'linear':
      return {
        ropeTheta,
        ropeScaling: { type: 'linear', factor: inner.positive('factor') },
      };
    case 'llama3':
      return {
        ropeTheta,
        ropeScaling: {
          type: 'llama3',
          factor: inner.positive('factor'),
          lowFrequencyFactor: inner.positive('low_freq_factor'),
          highFrequencyFactor: inner.positive('high_freq_factor'),
          originalContextLength: inner.count('original_max_position_embeddings'),
        },
      };
    default:
      throw new InvalidFileError(
        fields.file,
        `${place}.rope_type`,
        'a supported rotary scaling (default, linear, llama3)',
        JSON.stringify(type),
      );
  }
}

function slidingWindow(
  fields: Fields,
  family: LanguageModelConfig['family'],
  layers: number,
): number | null {
  const { values } = fields;
  const types = Array.isArray(values.layer_types) ? values.layer_types : [];
  if (new Set(types).size > 1) {
    fields.refuse('layer_types', 'one kind of attention in every layer');
  }
  if (family === 'mistral') {
    if (values.sliding_window === null || types[0] === 'full_attention') return null;
    return fields.count('sliding_window', 4096);
  }
  if (family === 'llama' || !fields.flag('use_sliding_window', false)) return null;
  if (types[0] === 'full_attention') return null;
  const first = values.max_window_layers ?? layers;
  if (typeof first === 'number' && first >= layers) return null;
  if (first !== 0) {
    fields.refuse('max_window_layers', `0 or at least ${layers}: one kind of layer`);
  }
  return values.sliding_window == null ? null : fields.count('sliding_window');
}

function parseGpt2(fields: Fields): LanguageModelConfig {
  const { values } = fields;
  const hiddenSize = fields.count('n_embd');
  const heads = fields.count('n_head');
  if (hiddenSize % heads !== 0)
    fields.refuse('n_head', `a divisor of n_embd ${hiddenSize}`);
  const activation = values.activation_function ?? 'gelu_new';
  if (activation !== 'gelu_new' && activation !== 'gelu_pytorch_tanh') {
    fields.refuse('activation_function', '"gelu_new"');
  }
  if (!fields.flag('scale_attn_weights', true))
    fields.refuse('scale_attn_weights', 'true');
  if (fields.flag('scale_attn_by_inverse_layer_idx', false)) {
    fields.refuse('scale_attn_by_inverse_layer_idx', 'false');
  }
  return {
    family: 'gpt2',
    vocabularySize: fields.count('vocab_size'),
    hiddenSize,
    intermediateSize: fields.count('n_inner', 4 * hiddenSize),
    layers: fields.count('n_layer'),
    heads,
    keyValueHeads: heads,
    headSize: hiddenSize / heads,
    contextLength: fields.count('n_positions', 1024),
    norm: 'layer',
    normEpsilon: fields.positive('layer_norm_epsilon', 1e-5),
    positions: 'learned',
    ropeTheta: 10000,
    ropeScaling: null,
    slidingWindow: null,
    activation: 'gelu-tanh',
    queryKeyValueBias: true,
    outputBias: true,
    queryKeyNorm: false,
    tiedHead: fields.flag('tie_word_embeddings', true),
    beginToken: fields.token('bos_token_id'),
    endToken: fields.token('eos_token_id'),
  };
}

/**
 * The object to write as `config.json`, with the keys Hugging Face reads.
 * @param dtype the stored type of the weights, as Hugging Face names it: `float16`.
 * @throws AssayError `unsupported` where the family's file cannot say what the model is.
 */
export function configurationJson(
  config: LanguageModelConfig,
  dtype: string,
): Record<string, unknown> {
  const shared = {
    vocab_size: config.vocabularySize,
    tie_word_embeddings: config.tiedHead,
    bos_token_id: config.beginToken,
    eos_token_id: config.endToken,
    torch_dtype: dtype,
    use_cache: true,
  };
  if (config.family === 'gpt2') {
    return {
      architectures: ['GPT2LMHeadModel'],
      model_type: 'gpt2',
      n_embd: config.hiddenSize,
      n_head: config.heads,
      n_layer: config.layers,
      n_positions: config.contextLength,
      n_ctx: config.contextLength,
      n_inner: config.intermediateSize,
      activation_function: 'gelu_new',
      layer_norm_epsilon: config.normEpsilon,
      ...shared,
    };
  }
  const biased = config.queryKeyValueBias;
  const expressible =
    config.family === 'qwen2'
      ? biased && !config.outputBias
      : biased === config.outputBias;
  if (!expressible || config.queryKeyNorm !== (config.family === 'qwen3')) {
    throw new AssayError(
      'unsupported',
      `a ${config.family} config.json cannot describe these biases and norms`,
    );
  }
  return {
    architectures: [architectures[config.family]],
    model_type: config.family,
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.keyValueHeads,
    head_dim: config.headSize,
    max_position_embeddings: config.contextLength,
    rms_norm_eps: config.normEpsilon,
    hidden_act: 'silu',
    rope_theta: config.ropeTheta,
    ...scalingJson(config.ropeScaling ?? null),
    ...(config.family === 'qwen2' ? {} : { attention_bias: biased }),
    ...slidingJson(config),
    ...shared,
  };
}

const architectures = {
  llama: 'LlamaForCausalLM',
  mistral: 'MistralForCausalLM',
  qwen2: 'Qwen2ForCausalLM',
  qwen3: 'Qwen3ForCausalLM',
} as const;

function scalingJson(scaling: RopeScaling | null): Record<string, unknown> {
  if (scaling === null) return {};
  if (scaling.type === 'linear') {
    return { rope_scaling: { rope_type: 'linear', factor: scaling.factor } };
  }
  return {
    rope_scaling: {
      rope_type: 'llama3',
      factor: scaling.factor,
      low_freq_factor: scaling.lowFrequencyFactor,
      high_freq_factor: scaling.highFrequencyFactor,
      original_max_position_embeddings: scaling.originalContextLength,
    },
  };
}

function slidingJson(config: LanguageModelConfig): Record<string, unknown> {
  const window = config.slidingWindow ?? null;
  if (config.family === 'mistral') return { sliding_window: window };
  if (config.family === 'llama' || window === null) return {};
  return { use_sliding_window: true, sliding_window: window, max_window_layers: 0 };
}
