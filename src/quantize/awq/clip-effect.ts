/** What clipping does to each group's output error, on the searched tokens and on others. */

import { roundTrip } from '../../array/quantizer/matrix.ts';
import { float32, type Tensor } from '../../array/tensor.ts';
import { linearLayers } from '../../nn/decoder/linear-layers.ts';
import type { RunContext } from '../../nouns/run.ts';
import { floatPass, tokenRows } from '../float-pass.ts';
import type { QuantizeInput } from '../input.ts';
import {
  applyFolds,
  type SearchSettings,
  sampledTap,
  searchBlock,
} from './block-search.ts';
import { clampGroups } from './clip-search.ts';
import { divideFeatures } from './fold.ts';
import { inspectorFor } from './inspect.ts';

export interface ClipEffect {
  readonly groups: number;
  /** Groups whose maximum was cut. */
  readonly clipped: number;
  /** Groups with a larger error on the searched tokens: none, unless the search is broken. */
  readonly worseOnSearched: number;
  /** Groups with a larger error on tokens that the search did not look at. */
  readonly worseOnOthers: number;
}

/** Searches every block and counts the groups that clipping helped or hurt. */
export async function measureClipEffect(
  input: QuantizeInput,
  settings: SearchSettings,
  context: RunContext,
): Promise<ClipEffect> {
  const { config } = input.model;
  const inspector = inspectorFor(config, context.threads);
  const total = { groups: 0, clipped: 0, worseOnSearched: 0, worseOnOthers: 0 };
  for await (const visit of floatPass(input, context)) {
    const choice = await searchBlock(config, visit, settings, inspector, context);
    const folded = applyFolds(config, visit.parameters, choice.folds);
    for (const layer of linearLayers(config)) {
      const limits = choice.clips[layer.name];
      if (!limits) continue;
      const { data } = folded[layer.name];
      const groupSize = data.length / limits.length;
      const cut = clampGroups(data, limits, groupSize);
      const searched = sampledTap(visit, layer.tap, choice.folds, settings.sampleTokens);
      const fold = choice.folds.find(({ tap }) => tap === layer.tap);
      const rest = otherRows(tokenRows(visit.taps[layer.tap]), settings.sampleTokens);
      const others = fold ? divideFeatures(rest, fold.scales) : rest;
      const change = (from: Float32Array): Float32Array => {
        const rounded = roundTrip(from, groupSize, settings.grid);
        return rounded.map((value, index) => value - data[index]);
      };
      const errorsOn = async (x: Tensor) => {
        const measure = inspector.groupErrors(x, groupSize);
        return [await measure(change(cut)), await measure(change(data))] as const;
      };
      const [withClip, without] = await errorsOn(searched);
      const [otherWith, otherWithout] = await errorsOn(others);
      for (let group = 0; group < limits.length; group++) {
        total.groups += 1;
        if (!sameGroup(cut, data, group, groupSize)) total.clipped += 1;
        if (withClip[group] > without[group]) total.worseOnSearched += 1;
        if (otherWith[group] > otherWithout[group]) total.worseOnOthers += 1;
      }
    }
  }
  return total;
}

function sameGroup(
  left: Float32Array,
  right: Float32Array,
  group: number,
  size: number,
): boolean {
  for (let index = group * size; index < (group + 1) * size; index++) {
    if (left[index] !== right[index]) return false;
  }
  return true;
}

/** The rows that follow the searched ones; all rows where every row is searched. */
function otherRows(x: Tensor, wanted: number): Tensor {
  const [tokens, features] = x.shape;
  const step = Math.max(1, Math.floor(tokens / wanted));
  if (step === 1) return x;
  const kept = Math.floor(tokens / step);
  const rows = float32([kept, features]);
  for (let row = 0; row < kept; row++) {
    const start = (row * step + 1) * features;
    rows.data.set(x.data.subarray(start, start + features), row * features);
  }
  return rows;
}
