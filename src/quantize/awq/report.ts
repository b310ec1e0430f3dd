/** What AWQ found, for people: chosen exponents, loss curves, how much was clipped. */

import type { QuantizedMatrix } from '../../array/quantized.ts';
import { bitsPerWeight } from '../../array/quantizer/size.ts';
import { foldGroups, type TapName } from '../../nn/decoder/linear-layers.ts';
import { blockPrefix } from '../../nn/decoder/parameters.ts';
import type { LanguageModelConfig } from '../../nn/model.ts';
import type { BlockChoice } from './block-search.ts';
import { dividesInput } from './fold.ts';
import type { AwqOptions } from './method.ts';

/** Per fold group: exponent, factors and the loss at every grid point; per layer: clips. */
export function awqReport(
  config: LanguageModelConfig,
  choices: readonly BlockChoice[],
  options: AwqOptions,
  matrices: Readonly<Record<string, QuantizedMatrix>>,
): Record<string, unknown> {
  const scales = choices.flatMap((choice, block) =>
    choice.folds.map((fold) => ({
      layers: fold.layers.map((name) => blockPrefix(config, block) + name),
      /** What took up the inverse: the norm or linear layer before; null: the layer itself. */
      previous: absorberOf(config, block, fold.tap),
      alpha: fold.alpha,
      losses: fold.losses,
      factors: fold.scales,
    })),
  );
  const unscaled = options.autoScale
    ? foldGroups(config)
        .filter((group) => !group.absorber && !dividesInput(group))
        .flatMap((group) => group.layers)
    : [];
  return {
    bits: options.bits,
    scales,
    /** Layers without scales: attended values that several query heads share. */
    ...(unscaled.length > 0 ? { unscaled } : {}),
    /** Largest magnitude that each group kept, `[outFeatures, groups]` by layer. */
    clips: Object.fromEntries(
      choices.flatMap((choice, block) =>
        Object.entries(choice.clips).map(([name, limits]) => [
          blockPrefix(config, block) + name,
          limits,
        ]),
      ),
    ),
    bitsPerWeight: bitsPerWeight(Object.values(matrices)),
  };
}

function absorberOf(
  config: LanguageModelConfig,
  block: number,
  tap: TapName,
): string | null {
  const group = foldGroups(config).find((each) => each.tap === tap);
  return group?.absorber ? blockPrefix(config, block) + group.absorber.weight : null;
}
