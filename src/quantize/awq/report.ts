/** What AWQ found, for people: chosen exponents, loss curves, how much was clipped. */

import { foldGroups } from '../../nn/decoder/linear-layers.ts';
import { blockPrefix } from '../../nn/decoder/parameters.ts';
import type { LanguageModelConfig } from '../../nn/model.ts';
import type { BlockChoice } from './block-search.ts';
import type { AwqOptions } from './method.ts';

/** Per fold group: exponent and the loss at every grid point; groups left unscaled. */
export function awqReport(
  config: LanguageModelConfig,
  choices: readonly BlockChoice[],
  options: AwqOptions,
): Record<string, unknown> {
  const scales = choices.flatMap((choice, block) =>
    choice.folds.map((fold) => ({
      layers: fold.layers.map((name) => blockPrefix(config, block) + name),
      alpha: fold.alpha,
      losses: fold.losses,
    })),
  );
  const unscaled = options.autoScale
    ? foldGroups(config)
        .filter((group) => !group.absorber)
        .flatMap((group) => group.layers)
    : [];
  return {
    bits: options.bits,
    scales,
    /** Layers whose input scale nothing before them can take up. */
    unscaled,
    clipped: choices.flatMap((choice, block) =>
      Object.keys(choice.clips).map((name) => blockPrefix(config, block) + name),
    ),
  };
}
