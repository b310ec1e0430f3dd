/** Walks a model block by block over calibration tokens, showing the input of every linear layer. */

import { float32, type Tensor } from '../array/tensor.ts';
import { InvalidInputError, throwIfCancelled } from '../error.ts';
import type { RunContext } from '../nouns/run.ts';
import {
  compiledDecoder,
  embedTokens,
  readBlock,
  readEmbedding,
  type TensorRecord,
} from './decoder/compiled.ts';
import type { TapName } from './decoder/linear-layers.ts';
import { blockPrefix } from './decoder/parameters.ts';
import { sequenceSurroundings } from './decoder/positions.ts';
import type { LanguageModel } from './model.ts';

/** One block during a walk. Tensors are `[samples, length, features]`. */
export interface VisitedBlock {
  readonly layer: number;
  /** What stands before local names in full ones: `model.layers.3.`. */
  readonly prefix: string;
  /** Float parameters by local name; linear weights are `[out, in]`. */
  readonly parameters: TensorRecord;
  readonly input: Tensor;
  /** Inputs of the linear layers, by tap; see `linearLayers`. */
  readonly taps: Readonly<Record<TapName, Tensor>>;
  /** Hidden state after the float block. */
  readonly output: Tensor;
  /** Parameters to run the block with for what later blocks see (`propagate: 'replaced'`). */
  replace(parameters: TensorRecord): void;
}

export interface WalkOptions {
  /**
   * What later blocks are given: `float`, the untouched model's hidden states (AWQ), or
   * `replaced`, those of the parameters that `replace` was called with (GPTQ).
   */
  readonly propagate?: 'float' | 'replaced';
  /** Samples run at once. */
  readonly batch?: number;
}

/**
 * Visits the blocks of a model in order over `tokens [samples, length]`. One block's
 * parameters are in memory at a time, with the hidden states and taps of all samples.
 *
 * @throws InvalidInputError for samples of unequal length or ids outside the vocabulary,
 * CancelledError.
 */
export async function* walkBlocks(
  model: LanguageModel,
  tokens: readonly ArrayLike<number>[],
  context: RunContext,
  options: WalkOptions = {},
): AsyncGenerator<VisitedBlock, void, undefined> {
  const { propagate = 'float' } = options;
  const length = checkTokens(tokens);
  const batch = options.batch ?? Math.max(1, Math.floor(2048 / length));
  const decoder = compiledDecoder(model.config, context.threads);
  const surroundings = sequenceSurroundings(model.config, length);
  let hidden = embedTokens(await readEmbedding(model), tokens);
  for (let layer = 0; layer < model.config.layers; layer++) {
    const parameters = await readBlock(model, layer);
    const outputs: Tensor[] = [];
    const taps: Record<TapName, Tensor[]> = {
      attentionInput: [],
      attended: [],
      feedForwardInput: [],
      activated: [],
    };
    for (const part of parts(hidden, batch)) {
      throwIfCancelled(context.signal);
      const result = await decoder.blockWithTaps(parameters, part, surroundings);
      outputs.push(result.hidden);
      for (const tap of tapNames) taps[tap].push(result.taps[tap]);
    }
    const output = join(outputs);
    let replaced: TensorRecord | undefined;
    yield {
      layer,
      prefix: blockPrefix(model.config, layer),
      parameters,
      input: hidden,
      taps: {
        attentionInput: join(taps.attentionInput),
        attended: join(taps.attended),
        feedForwardInput: join(taps.feedForwardInput),
        activated: join(taps.activated),
      },
      output,
      replace: (changed) => {
        replaced = changed;
      },
    };
    if (propagate === 'replaced' && replaced !== undefined) {
      const again: Tensor[] = [];
      for (const part of parts(hidden, batch)) {
        throwIfCancelled(context.signal);
        again.push((await decoder.block(replaced, part, surroundings)).hidden);
      }
      hidden = join(again);
    } else {
      hidden = output;
    }
  }
}

const tapNames: readonly TapName[] = [
  'attentionInput',
  'attended',
  'feedForwardInput',
  'activated',
];

function checkTokens(tokens: readonly ArrayLike<number>[]): number {
  const length = tokens[0]?.length ?? 0;
  if (length === 0) {
    throw new InvalidInputError('tokens', 'at least one sample of a token', 'none');
  }
  const other = tokens.find((sample) => sample.length !== length);
  if (other) {
    const expected = `samples of one length, ${length}`;
    throw new InvalidInputError('tokens', expected, `one of ${other.length}`);
  }
  return length;
}

function* parts(hidden: Tensor, batch: number): Generator<Tensor> {
  const [samples = 0, length = 0, features = 0] = hidden.shape;
  const size = length * features;
  for (let start = 0; start < samples; start += batch) {
    const end = Math.min(samples, start + batch);
    const data = hidden.data.subarray(start * size, end * size);
    yield float32([end - start, length, features], data);
  }
}

function join(tensors: readonly Tensor[]): Tensor {
  if (tensors.length === 1) return tensors[0]!;
  const [, ...rest] = tensors[0]!.shape;
  const count = tensors.reduce((sum, tensor) => sum + (tensor.shape[0] ?? 0), 0);
  const joined = float32([count, ...rest]);
  let position = 0;
  for (const { data } of tensors) {
    joined.data.set(data, position);
    position += data.length;
  }
  return joined;
}
