/** Walks a model block by block on the calibration text, showing every linear layer's input. */

import { compile } from '../array/compile.ts';
import { float32, type Tensor } from '../array/tensor.ts';
import { block, type TracedRecord } from '../nn/decoder/block.ts';
import type { Traced } from '../nn/decoder/functions.ts';
import type { TapName } from '../nn/decoder/linear-layers.ts';
import { blockPrefix, blockShapes, parameterNames } from '../nn/decoder/parameters.ts';
import { type Surroundings, sequenceSurroundings } from '../nn/decoder/positions.ts';
import type { RunContext } from '../nouns/run.ts';
import { pause } from './assemble.ts';
import { type QuantizeInput, readFinite } from './input.ts';

/** Parameters of one block by local name. */
export type BlockParameters = Readonly<Record<string, Tensor>>;

/** One block with what entered its linear layers. */
export interface BlockVisit {
  readonly index: number;
  readonly parameters: BlockParameters;
  /** Batches `[samples, length, features]` by tap; together all calibration tokens. */
  readonly taps: Readonly<Record<TapName, readonly Tensor[]>>;
  readonly surroundings: Surroundings;
}

/** Tokens in one batch: enough for fast products, little memory for the activations. */
const batchTokens = 2048;

/**
 * Visits the blocks in order. Each is run with its float weights and its float output is
 * the next one's input, so that the error of one block is not carried into the next.
 * The sequences are padded by nothing: all calibration samples have one length.
 */
export async function* floatPass(
  input: QuantizeInput,
  context: RunContext,
): AsyncGenerator<BlockVisit> {
  const { config } = input.model;
  const [, length = 0] = input.calibrationTokens.shape;
  const surroundings = sequenceSurroundings(config, length);
  const run = compile(
    (parameters: TracedRecord, hidden: Traced, around: TracedRecord) =>
      block(config, parameters, hidden, around, { taps: true }),
    { threads: context.threads, signal: context.signal },
  );
  try {
    let hidden = await embeddedBatches(input);
    for (let index = 0; index < config.layers; index++) {
      const parameters = await readBlock(input, index);
      const taps: Record<TapName, Tensor[]> = {
        attentionInput: [],
        attended: [],
        feedForwardInput: [],
        activated: [],
      };
      const next: Tensor[] = [];
      for (const batch of hidden) {
        await pause(context);
        const result = await run(parameters, batch, surroundings);
        next.push(result.hidden);
        const shown = result.taps as Record<TapName, Tensor>;
        for (const name of Object.keys(taps) as TapName[]) taps[name].push(shown[name]);
      }
      hidden = next;
      yield { index, parameters, taps, surroundings };
    }
  } finally {
    await run.dispose();
  }
}

/** Reads one block's parameters by local name, refusing NaN and infinity. */
async function readBlock(input: QuantizeInput, index: number): Promise<BlockParameters> {
  const { model } = input;
  const parameters: Record<string, Tensor> = {};
  for (const name of Object.keys(blockShapes(model.config))) {
    parameters[name] = await readFinite(model, blockPrefix(model.config, index) + name);
  }
  return parameters;
}

/** Embedded calibration tokens in batches `[samples, length, hiddenSize]`. */
async function embeddedBatches({
  model,
  calibrationTokens,
}: QuantizeInput): Promise<Tensor[]> {
  const { hiddenSize } = model.config;
  const names = parameterNames(model.config);
  const table = (await readFinite(model, names.embedding)).data;
  const positions = names.positions && (await readFinite(model, names.positions)).data;
  const [samples = 0, length = 0] = calibrationTokens.shape;
  const perBatch = Math.max(1, Math.floor(batchTokens / length));
  const batches: Tensor[] = [];
  for (let start = 0; start < samples; start += perBatch) {
    const count = Math.min(perBatch, samples - start);
    const hidden = float32([count, length, hiddenSize]);
    for (let place = 0; place < count * length; place++) {
      const token = calibrationTokens.data[start * length + place];
      const row = table.subarray(token * hiddenSize, (token + 1) * hiddenSize);
      hidden.data.set(row, place * hiddenSize);
      if (!positions) continue;
      const offset = (place % length) * hiddenSize;
      for (let index = 0; index < hiddenSize; index++) {
        hidden.data[place * hiddenSize + index] += positions[offset + index];
      }
    }
    batches.push(hidden);
  }
  return batches;
}

/** Mean over all tokens of |x| for each feature. */
export function meanMagnitude(batches: readonly Tensor[]): Float32Array {
  const features = batches[0].shape.at(-1) ?? 0;
  const sums = new Float64Array(features);
  let tokens = 0;
  for (const { data } of batches) {
    for (let start = 0; start < data.length; start += features) {
      for (let index = 0; index < features; index++) {
        sums[index] += Math.abs(data[start + index]);
      }
    }
    tokens += data.length / features;
  }
  return Float32Array.from(sums, (sum) => sum / tokens);
}
