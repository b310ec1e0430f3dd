/** How far a module's output moves when its weights are replaced, run by the compiler. */

import { compile } from '../../array/compile.ts';
import { numpy as np } from '../../array/jax.ts';
import { float32, type Tensor } from '../../array/tensor.ts';
import type { VisitedBlock } from '../../nn/calibrate.ts';
import { attention, feedForward, type TracedRecord } from '../../nn/decoder/block.ts';
import type { Traced } from '../../nn/decoder/functions.ts';
import type { FoldGroup } from '../../nn/decoder/linear-layers.ts';
import { sequenceSurroundings } from '../../nn/decoder/positions.ts';
import type { LanguageModelConfig } from '../../nn/model.ts';
import { batchesOf, tokenRows } from '../float-pass.ts';
import type { GroupErrors } from './clip-search.ts';

/** Compiled functions of one model's blocks, built once and used for every block. */
export interface Inspector {
  /**
   * Mean squared difference of the inspected module's output when `weights` take the place
   * of the group's layers, over all calibration tokens.
   */
  scaleLoss(
    visit: VisitedBlock,
    group: FoldGroup,
  ): Promise<(weights: readonly Tensor[]) => Promise<number>>;
  /** Errors of every group of inputs for a difference of weights, on the tokens of `x`. */
  groupErrors(x: Tensor, groupSize: number): GroupErrors;
}

type LossParts = readonly { readonly loss: number; readonly count: number }[];

/** Partial outputs held at once: rows are taken in chunks of this many bytes. */
const partialBytes = 2 ** 26;

const inspectors = new Map<string, Inspector>();

/** The compiled functions of a configuration, made once a process. */
export function inspectorFor(config: LanguageModelConfig, threads: number): Inspector {
  const key = JSON.stringify([config, threads]);
  let inspector = inspectors.get(key);
  if (!inspector) {
    inspector = createInspector(config, threads);
    inspectors.set(key, inspector);
  }
  return inspector;
}

function createInspector(config: LanguageModelConfig, threads: number): Inspector {
  const options = { threads };
  const linearLoss = compile(
    (difference: Traced, x: Traced) =>
      np.square(np.matmul(x, difference.transpose())).mean(),
    options,
  );
  const attentionOutput = compile(
    (parameters: TracedRecord, x: Traced, around: TracedRecord) =>
      attention(config, parameters, x, around),
    options,
  );
  const attentionLoss = compile(
    (parameters: TracedRecord, x: Traced, around: TracedRecord, reference: Traced) =>
      np.square(attention(config, parameters, x, around).sub(reference)).mean(),
    options,
  );
  const feedForwardOutput = compile(
    (parameters: TracedRecord, x: Traced) => feedForward(config, parameters, x),
    options,
  );
  const feedForwardLoss = compile(
    (parameters: TracedRecord, x: Traced, reference: Traced) =>
      np.square(feedForward(config, parameters, x).sub(reference)).mean(),
    options,
  );
  const partialErrors = compile(
    // [rows, groups, size] and [groups, size, tokens] to [groups, rows].
    (difference: Traced, x: Traced) =>
      np.square(np.matmul(difference.transpose([1, 0, 2]), x)).mean(-1),
    options,
  );
  return {
    async scaleLoss(visit, group) {
      const batches = batchesOf(visit.taps[group.tap]);
      if (group.inspect === 'linear') {
        const originals = group.layers.map((name) => visit.parameters[name]);
        return async (weights) => {
          const difference = subtract(weights[0], originals[0]);
          const parts = [];
          for (const batch of batches) {
            const loss = (await linearLoss(difference, tokenRows(batch))).data[0];
            parts.push({ loss, count: batch.data.length });
          }
          return weightedMean(parts);
        };
      }
      const own = moduleParameters(visit, group.inspect);
      const surroundings = sequenceSurroundings(config, batches[0].shape[1]);
      const references: Tensor[] = [];
      for (const batch of batches) {
        references.push(
          group.inspect === 'attention'
            ? await attentionOutput(own, batch, surroundings)
            : await feedForwardOutput(own, batch),
        );
      }
      return async (weights) => {
        const changed = { ...own };
        for (const [index, name] of group.layers.entries()) {
          changed[name] = weights[index];
        }
        const parts = [];
        for (const [index, batch] of batches.entries()) {
          const reference = references[index];
          const result =
            group.inspect === 'attention'
              ? await attentionLoss(changed, batch, surroundings, reference)
              : await feedForwardLoss(changed, batch, reference);
          parts.push({ loss: result.data[0], count: batch.data.length });
        }
        return weightedMean(parts);
      };
    },

    groupErrors(x, groupSize) {
      const [tokens, inputs] = x.shape;
      const groups = inputs / groupSize;
      const turned = float32([groups, groupSize, tokens]);
      for (let token = 0; token < tokens; token++) {
        for (let input = 0; input < inputs; input++) {
          turned.data[input * tokens + token] = x.data[token * inputs + input];
        }
      }
      return async (difference) => {
        const rows = difference.length / inputs;
        const most = Math.floor(partialBytes / (4 * groups * tokens));
        const chunk = Math.min(rows, Math.max(1, most));
        const errors = new Float32Array(rows * groups);
        for (let first = 0; first < rows; first += chunk) {
          const count = Math.min(chunk, rows - first);
          const part = float32(
            [count, groups, groupSize],
            difference.subarray(first * inputs, (first + count) * inputs),
          );
          const { data } = await partialErrors(part, turned);
          for (let group = 0; group < groups; group++) {
            for (let row = 0; row < count; row++) {
              errors[(first + row) * groups + group] = data[group * count + row];
            }
          }
        }
        return errors;
      };
    },
  };
}

/** Parameters that the attention or the feed-forward part of a block reads. */
function moduleParameters(
  visit: VisitedBlock,
  part: 'attention' | 'feedForward',
): Record<string, Tensor> {
  const entries = Object.entries(visit.parameters).filter(([name]) =>
    part === 'attention' ? /^(self_)?attn\./.test(name) : name.startsWith('mlp.'),
  );
  return Object.fromEntries(entries);
}

function subtract(left: Tensor, right: Tensor): Tensor {
  const data = left.data.slice();
  for (let index = 0; index < data.length; index++) data[index] -= right.data[index];
  return float32(left.shape, data);
}

function weightedMean(parts: LossParts): number {
  let sum = 0;
  let count = 0;
  for (const part of parts) {
    sum += part.loss * part.count;
    count += part.count;
  }
  return sum / count;
}
