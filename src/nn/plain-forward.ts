/** A decoder written plainly in float64 loops: the independent computation that tests hold the others to. */

import type { LanguageModelConfig } from './model.ts';

type Vector = Float64Array<ArrayBuffer>;
type Numbers = Readonly<Record<string, ArrayLike<number>>>;

/**
 * Logits of every position, `[ids.length][vocabularySize]`, in double precision. Slow by
 * design: one loop for each sum, no batching, nothing shared with the compiled decoder.
 */
export function plainLogits(
  config: LanguageModelConfig,
  parameters: Numbers,
  ids: readonly number[],
): Vector[] {
  const gpt = config.family === 'gpt2';
  const get = (name: string): ArrayLike<number> => {
    const found = parameters[name];
    if (!found) throw new Error(`no parameter named ${name}`);
    return found;
  };
  const embedding = get(gpt ? 'transformer.wte.weight' : 'model.embed_tokens.weight');
  const width = config.hiddenSize;
  let states = ids.map((id, position) =>
    Float64Array.from(
      { length: width },
      (_, feature) =>
        embedding[id * width + feature]! +
        (gpt ? get('transformer.wpe.weight')[position * width + feature]! : 0),
    ),
  );
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = gpt ? `transformer.h.${layer}.` : `model.layers.${layer}.`;
    states = plainBlock(
      config,
      (name) => get(prefix + name),
      (name) => parameters[prefix + name],
      states,
    );
  }
  const finalName = gpt ? 'transformer.ln_f' : 'model.norm';
  const head = config.tiedHead ? embedding : get('lm_head.weight');
  return states.map((state) =>
    affine(
      norm(config, state, get(`${finalName}.weight`), parameters[`${finalName}.bias`]),
      head,
      undefined,
    ),
  );
}

function plainBlock(
  config: LanguageModelConfig,
  get: (name: string) => ArrayLike<number>,
  find: (name: string) => ArrayLike<number> | undefined,
  states: readonly Vector[],
): Vector[] {
  const gpt = config.family === 'gpt2';
  const [first, second] = gpt
    ? ['ln_1', 'ln_2']
    : ['input_layernorm', 'post_attention_layernorm'];
  const normed = states.map((state) =>
    norm(config, state, get(`${first}.weight`), find(`${first}.bias`)),
  );
  const attended = plainAttention(config, get, find, normed);
  return states.map((state, position) => {
    const middle = state.map((value, feature) => value + attended[position]![feature]!);
    const input = norm(config, middle, get(`${second}.weight`), find(`${second}.bias`));
    const added = gpt ? plainGelu(get, input) : plainGated(get, input);
    return middle.map((value, feature) => value + added[feature]!);
  });
}

function plainGelu(get: (name: string) => ArrayLike<number>, input: Vector): Vector {
  const inner = affine(input, get('mlp.c_fc.weight'), get('mlp.c_fc.bias')).map(
    (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  );
  return affine(inner, get('mlp.c_proj.weight'), get('mlp.c_proj.bias'));
}

function plainGated(get: (name: string) => ArrayLike<number>, input: Vector): Vector {
  const up = affine(input, get('mlp.up_proj.weight'), undefined);
  const inner = affine(input, get('mlp.gate_proj.weight'), undefined).map(
    (x, feature) => (x / (1 + Math.exp(-x))) * up[feature]!,
  );
  return affine(inner, get('mlp.down_proj.weight'), undefined);
}

function plainAttention(
  config: LanguageModelConfig,
  get: (name: string) => ArrayLike<number>,
  find: (name: string) => ArrayLike<number> | undefined,
  inputs: readonly Vector[],
): Vector[] {
  const { heads, keyValueHeads, headSize } = config;
  const project = (name: string, kind: string): Vector[] =>
    inputs.map((input, position) => {
      const all = affine(input, get(`${name}.weight`), find(`${name}.bias`));
      return kind === 'value' ? all : turned(config, find, kind, all, position);
    });
  let [queries, keys, values]: Vector[][] = [];
  if (config.family === 'gpt2') {
    const fused = inputs.map((input) =>
      affine(input, get('attn.c_attn.weight'), get('attn.c_attn.bias')),
    );
    const part = (index: number) =>
      fused.map((all) =>
        all.slice(index * heads * headSize, (index + 1) * heads * headSize),
      );
    [queries, keys, values] = [part(0), part(1), part(2)];
  } else {
    queries = project('self_attn.q_proj', 'q');
    keys = project('self_attn.k_proj', 'k');
    values = project('self_attn.v_proj', 'value');
  }
  const output = config.family === 'gpt2' ? 'attn.c_proj' : 'self_attn.o_proj';
  return queries!.map((query, position) => {
    const context = new Float64Array(heads * headSize);
    const window = config.slidingWindow ?? Number.POSITIVE_INFINITY;
    const start = Math.max(0, position - window + 1);
    for (let head = 0; head < heads; head++) {
      const group = Math.floor(head / (heads / keyValueHeads));
      const scores: number[] = [];
      for (let other = start; other <= position; other++) {
        let score = 0;
        for (let feature = 0; feature < headSize; feature++) {
          score +=
            query[head * headSize + feature]! *
            keys![other]![group * headSize + feature]!;
        }
        scores.push(score / Math.sqrt(headSize));
      }
      const most = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - most));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      weights.forEach((weight, index) => {
        const value = values![start + index]!;
        for (let feature = 0; feature < headSize; feature++) {
          context[head * headSize + feature]! +=
            (weight / total) * value[group * headSize + feature]!;
        }
      });
    }
    return affine(context, get(`${output}.weight`), find(`${output}.bias`));
  });
}

/** Queries or keys of one position: normed by head where the family does, then rotated. */
function turned(
  config: LanguageModelConfig,
  find: (name: string) => ArrayLike<number> | undefined,
  kind: string,
  all: Vector,
  position: number,
): Vector {
  const { headSize } = config;
  const half = headSize / 2;
  const gains = config.queryKeyNorm ? find(`self_attn.${kind}_norm.weight`) : undefined;
  const result = new Float64Array(all.length);
  for (let start = 0; start < all.length; start += headSize) {
    let head = all.slice(start, start + headSize);
    if (gains) head = norm({ ...config, norm: 'rms' }, head, gains, undefined);
    for (let pair = 0; pair < half; pair++) {
      const angle = position * plainFrequency(config, pair);
      const [x, y] = [head[pair]!, head[pair + half]!];
      result[start + pair] = x * Math.cos(angle) - y * Math.sin(angle);
      result[start + pair + half] = y * Math.cos(angle) + x * Math.sin(angle);
    }
  }
  return result;
}

function plainFrequency(config: LanguageModelConfig, pair: number): number {
  const frequency = config.ropeTheta ** ((-2 * pair) / config.headSize);
  const scaling = config.ropeScaling ?? null;
  if (scaling === null) return frequency;
  if (scaling.type === 'linear') return frequency / scaling.factor;
  const wavelength = (2 * Math.PI) / frequency;
  const { originalContextLength: length, factor } = scaling;
  if (wavelength < length / scaling.highFrequencyFactor) return frequency;
  if (wavelength > length / scaling.lowFrequencyFactor) return frequency / factor;
  const smooth =
    (length / wavelength - scaling.lowFrequencyFactor) /
    (scaling.highFrequencyFactor - scaling.lowFrequencyFactor);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

function norm(
  config: LanguageModelConfig,
  x: Vector,
  weight: ArrayLike<number>,
  bias: ArrayLike<number> | undefined,
): Vector {
  const mean =
    config.norm === 'layer' ? x.reduce((sum, value) => sum + value, 0) / x.length : 0;
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
  const scale = 1 / Math.sqrt(variance + config.normEpsilon);
  return x.map(
    (value, index) => (value - mean) * scale * weight[index]! + (bias?.[index] ?? 0),
  );
}

/** `weight [out, in]` times `x`, plus the bias. */
function affine(
  x: Vector,
  weight: ArrayLike<number>,
  bias: ArrayLike<number> | undefined,
): Vector {
  const rows = weight.length / x.length;
  const result = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    let sum = bias?.[row] ?? 0;
    for (let column = 0; column < x.length; column++) {
      sum += weight[row * x.length + column]! * x[column]!;
    }
    result[row] = sum;
  }
  return result;
}
