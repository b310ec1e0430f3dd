/** A quantized model seen as a float one, and perplexity with quantized activations. */

import { compile } from '../array/compile.ts';
import { numpy as np } from '../array/jax.ts';
import { dequantizeMatrix } from '../array/quantizer/matrix.ts';
import { int32, type Tensor } from '../array/tensor.ts';
import { block, type TracedRecord } from '../nn/decoder/block.ts';
import {
  compiledDecoder,
  embedTokens,
  readBlock,
  readEmbedding,
  readHead,
} from '../nn/decoder/compiled.ts';
import type { Traced } from '../nn/decoder/functions.ts';
import { linearLayers, type TapName } from '../nn/decoder/linear-layers.ts';
import { blockPrefix, parameterShapes } from '../nn/decoder/parameters.ts';
import { sequenceSurroundings } from '../nn/decoder/positions.ts';
import type { LanguageModel } from '../nn/model.ts';
import { perplexity, slidingWindows } from '../nn/perplexity.ts';
import type { ActivationRange, QuantizedModel } from '../nn/quantized.ts';
import type { RunContext } from '../nouns/run.ts';
import { pause } from './assemble.ts';
import { quantizedDigest } from './digest.ts';

/** The float model whose weights are the quantized ones; activations stay in float. */
export function dequantizedModel(model: QuantizedModel): LanguageModel {
  const shapes = parameterShapes(model.config);
  return {
    config: model.config,
    tokenizer: model.tokenizer,
    name: model.method,
    get fingerprint() {
      return quantizedDigest(model);
    },
    parameters: {
      names: Object.keys(shapes),
      describe: (name) => ({ dtype: 'float32', shape: shapes[name] }),
      read: async (name) => {
        const matrix = model.matrices[name];
        return matrix ? dequantizeMatrix(matrix) : model.floats[name];
      },
    },
  };
}

/**
 * Perplexity by the sliding window of the float models, with windows of the whole context
 * and a stride of half of it; inputs of linear layers are put on their grids where the model
 * has them.
 */
export async function quantizedPerplexity(
  model: QuantizedModel,
  ids: readonly number[],
  context: RunContext,
): Promise<number> {
  const float = dequantizedModel(model);
  if (Object.keys(model.activations).length === 0) {
    return (await perplexity(float, ids, context)).perplexity;
  }
  const { config } = model;
  const length = config.contextLength;
  const windows = slidingWindows(ids.length, length, Math.ceil(length / 2));
  const decoder = compiledDecoder(config, context.threads);
  const run = compile(
    (
      parameters: TracedRecord,
      hidden: Traced,
      around: TracedRecord,
      ranges: Record<TapName, TracedRange>,
    ) =>
      block(config, parameters, hidden, around, {
        transform: (tap, x) => fakeQuantizeTraced(x, ranges[tap]),
      }),
    { threads: context.threads, signal: context.signal },
  );
  const used = windows[0].length;
  const surroundings = sequenceSurroundings(config, used);
  const tables = await readEmbedding(float);
  const head = await readHead(float);
  const batch = Math.max(1, Math.floor(2048 / used));
  const blocks = await readBlocks(float);
  let nats = 0;
  let scored = 0;
  try {
    for (let first = 0; first < windows.length; first += batch) {
      await pause(context);
      context.progress({
        done: first,
        total: windows.length,
        label: 'perplexity with quantized activations',
      });
      const part = windows.slice(first, first + batch);
      const rows = Array.from({ length: batch }, (_, row) => {
        const filled = new Int32Array(used);
        const window = part[row];
        if (window) filled.set(ids.slice(window.start, window.start + window.length));
        return filled;
      });
      let hidden = embedTokens(tables, rows);
      for (const [layer, parameters] of blocks.entries()) {
        const ranges = tapRanges(model, layer);
        hidden = (await run(parameters, hidden, surroundings, ranges)).hidden;
      }
      const targets = int32([batch, used]);
      for (const [row, tokens] of rows.entries()) {
        targets.data.set(tokens.subarray(1), row * used);
      }
      const scores = (await decoder.score(head, hidden, targets)).data;
      for (const [row, window] of part.entries()) {
        const end = window.start + window.length;
        for (let token = window.firstScored; token < end; token++) {
          nats += scores[row * used + token - window.start - 1];
          scored += 1;
        }
      }
    }
  } finally {
    await run.dispose();
  }
  return Math.exp(nats / scored);
}

async function readBlocks(model: LanguageModel): Promise<Record<string, Tensor>[]> {
  const blocks: Record<string, Tensor>[] = [];
  for (let layer = 0; layer < model.config.layers; layer++) {
    blocks.push(await readBlock(model, layer));
  }
  return blocks;
}

/** Scale, zero point and highest code of a grid, scalars inside a traced function. */
export type TracedRange = { scale: Traced; zero: Traced; highest: Traced };

/** The same as numbers, to be fed. */
export type FedRange = { scale: number; zero: number; highest: number };

/** Grids by tap of one block: layers that share an input share its grid. */
export function tapRanges(
  model: { readonly config: LanguageModel['config'] } & Pick<
    QuantizedModel,
    'activations'
  >,
  layer: number,
): Record<TapName, FedRange> {
  const ranges: Partial<Record<TapName, FedRange>> = {};
  for (const linear of linearLayers(model.config)) {
    const range = model.activations[blockPrefix(model.config, layer) + linear.name];
    ranges[linear.tap] = fedRange(range);
  }
  return ranges as Record<TapName, FedRange>;
}

export function fedRange({ scale, zero, bits }: ActivationRange): FedRange {
  return { scale, zero, highest: 2 ** bits - 1 };
}

/** `chooseAffine`'s grid on a traced array: `(round(clamp(x / scale + zero)) - zero) * scale`. */
export function fakeQuantizeTraced(x: Traced, range: TracedRange): Traced {
  const { scale, zero, highest } = range;
  const steps = x.div(scale.ref).add(zero.ref);
  const clamped = np.maximum(np.minimum(steps, highest), 0);
  // Nothing is negative here, so that floor(x + 1/2) rounds ties away from zero.
  return np.floor(clamped.add(0.5)).sub(zero).mul(scale);
}
