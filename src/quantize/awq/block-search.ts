/** What AWQ decides for one block: scales for its fold groups and clips for its layers. */

import type { Grid } from '../../array/quantizer/grid.ts';
import { type Grouping, groupSizeOf } from '../../array/quantizer/matrix.ts';
import { float32, type Tensor } from '../../array/tensor.ts';
import type { VisitedBlock } from '../../nn/calibrate.ts';
import {
  foldGroups,
  type LinearLayer,
  linearLayers,
  type TapName,
} from '../../nn/decoder/linear-layers.ts';
import type { LanguageModelConfig } from '../../nn/model.ts';
import type { RunContext } from '../../nouns/run.ts';
import { pause } from '../assemble.ts';
import { meanMagnitude, tokenRows } from '../float-pass.ts';
import {
  type ClipOptions,
  clampGroups,
  isClippable,
  sampleRows,
  searchClips,
} from './clip-search.ts';
import { divideFeatures, dividesInput, foldScales, scaleLayers } from './fold.ts';
import type { Inspector } from './inspect.ts';
import { searchScales } from './scale-search.ts';

export interface SearchSettings extends ClipOptions {
  readonly grid: Grid;
  readonly grouping: Grouping;
  readonly scale: boolean;
  readonly clip: boolean;
}

/** Scales of one group of layers, folded into what comes before or dividing the input. */
export interface FoldChoice {
  readonly layers: readonly string[];
  readonly tap: TapName;
  readonly alpha: number;
  readonly scales: Float32Array;
  readonly losses: readonly number[];
}

export interface BlockChoice {
  readonly folds: readonly FoldChoice[];
  /** Largest magnitudes `[outFeatures, groups]` by local layer name. */
  readonly clips: Readonly<Record<string, Float32Array>>;
}

/**
 * Searches one block (AWQ, section 3 and the official search): every fold group's scales
 * with the float weights, then all are folded, then every layer but query and key is given
 * its clips on inputs divided by the scales.
 */
export async function searchBlock(
  config: LanguageModelConfig,
  visit: VisitedBlock,
  settings: SearchSettings,
  inspector: Inspector,
  context: RunContext,
): Promise<BlockChoice> {
  const folds: FoldChoice[] = [];
  if (settings.scale) {
    for (const group of foldGroups(config)) {
      if (!group.absorber && !dividesInput(group)) continue;
      await pause(context);
      const choice = await searchScales(
        {
          names: group.layers.map((name) => `block ${visit.layer}: ${name}`),
          weights: group.layers.map((name) => visit.parameters[name]),
          meanMagnitude: meanMagnitude(visit.taps[group.tap]),
          storedAsHalves: dividesInput(group),
          loss: await inspector.scaleLoss(visit, group),
        },
        settings.grid,
        settings.grouping,
        settings.gridPoints,
        context.signal,
      );
      folds.push({ layers: group.layers, tap: group.tap, ...choice });
    }
  }
  const clips: Record<string, Float32Array> = {};
  if (settings.clip) {
    const folded = applyFolds(config, visit.parameters, folds);
    const inputs = new Map<TapName, Tensor>();
    for (const layer of linearLayers(config)) {
      const delicate = ['query', 'key', 'query-key-value'].includes(layer.kind);
      if (delicate || !isClippable(layer.name)) continue;
      await pause(context);
      let x = inputs.get(layer.tap);
      if (!x) {
        x = sampledTap(visit, layer.tap, folds, settings.sampleTokens);
        inputs.set(layer.tap, x);
      }
      const groupSize = groupSizeOf(settings.grouping, layer.inFeatures, layer.name);
      clips[layer.name] = await searchClips(
        folded[layer.name],
        groupSize,
        settings.grid,
        settings,
        inspector.groupErrors(x, groupSize),
      );
    }
  }
  return { folds, clips };
}

/** About `wanted` tokens of a tap as it is after folding, `[tokens, features]`. */
export function sampledTap(
  visit: VisitedBlock,
  tap: TapName,
  folds: readonly FoldChoice[],
  wanted: number,
): Tensor {
  const rows = sampleRows(tokenRows(visit.taps[tap]), wanted);
  const fold = folds.find((choice) => choice.tap === tap);
  return fold ? divideFeatures(rows, fold.scales) : rows;
}

/**
 * The block with all scales folded: the same function, once the inputs of the layers that
 * `inputScales` names are divided.
 */
export function applyFolds(
  config: LanguageModelConfig,
  parameters: Readonly<Record<string, Tensor>>,
  folds: readonly FoldChoice[],
): Record<string, Tensor> {
  let folded: Record<string, Tensor> = { ...parameters };
  for (const group of foldGroups(config)) {
    const fold = folds.find((choice) => choice.tap === group.tap);
    if (fold && group.absorber) {
      folded = foldScales(folded, group.layers, group.absorber, fold.scales);
    } else if (fold) {
      folded = scaleLayers(folded, group.layers, fold.scales);
    }
  }
  return folded;
}

/** What a layer's input is to be divided by; undefined where nothing was left undivided. */
export function inputScales(
  config: LanguageModelConfig,
  layer: LinearLayer,
  folds: readonly FoldChoice[],
): Float32Array | undefined {
  const group = foldGroups(config).find(({ tap }) => tap === layer.tap);
  if (!group || !dividesInput(group)) return undefined;
  const scales = folds.find(({ tap }) => tap === layer.tap)?.scales;
  return scales?.some((scale) => scale !== 1) ? scales : undefined;
}

/**
 * What folding multiplied a layer's columns by and divided its rows by, if anything; input
 * scales do not count, as the matrix itself takes them out again.
 */
export function foldedFactors(
  config: LanguageModelConfig,
  layer: LinearLayer,
  folds: readonly FoldChoice[],
): { readonly columns?: Float32Array; readonly rows?: Float32Array } {
  const columns = inputScales(config, layer, folds)
    ? undefined
    : folds.find((choice) => choice.tap === layer.tap)?.scales;
  let rows: Float32Array | undefined;
  for (const { tap, absorber } of foldGroups(config)) {
    const fold = folds.find((choice) => choice.tap === tap);
    if (!fold || absorber?.kind !== 'linear' || absorber.weight !== layer.name) continue;
    rows = new Float32Array(layer.outFeatures).fill(1);
    rows.set(fold.scales, absorber.firstRow);
  }
  return { columns, rows };
}

/** The folded block with its weights clipped, ready to be quantized. */
export function applyChoice(
  config: LanguageModelConfig,
  parameters: Readonly<Record<string, Tensor>>,
  choice: BlockChoice,
): Record<string, Tensor> {
  const changed = applyFolds(config, parameters, choice.folds);
  for (const [name, limits] of Object.entries(choice.clips)) {
    const { data, shape } = changed[name];
    const groupSize = data.length / limits.length;
    changed[name] = float32(shape, clampGroups(data, limits, groupSize));
  }
  return changed;
}
