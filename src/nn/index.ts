/** Language models: opening, saving, running, measuring and walking them. */

export { type VisitedBlock, type WalkOptions, walkBlocks } from './calibrate.ts';
export { configurationJson, parseConfiguration } from './configuration.ts';
export { keepInMemory } from './decoder/compiled.ts';
export {
  type Absorber,
  type FoldGroup,
  foldGroups,
  type LinearKind,
  type LinearLayer,
  linearLayers,
  type TapName,
} from './decoder/linear-layers.ts';
export {
  blockPrefix,
  blockShapes,
  parameterCount,
  parameterNames,
  parameterShapes,
} from './decoder/parameters.ts';
export {
  chooseToken,
  type GenerateOptions,
  generate,
  generateText,
  lastLogits,
} from './generate.ts';
export { loadLanguageModel } from './load.ts';
export { memoryModel, readParameters } from './memory-model.ts';
export {
  type LanguageModel,
  type LanguageModelConfig,
  memoryParameters,
  type ParameterSource,
  type RopeScaling,
} from './model.ts';
export {
  type PerplexityOptions,
  type PerplexityResult,
  perplexity,
  slidingWindows,
  textPerplexity,
} from './perplexity.ts';
export type { ActivationRange, QuantizedModel } from './quantized.ts';
export { type SaveOptions, saveLanguageModel, type WeightPrecision } from './save.ts';
export { type OutlierOptions, outlierTwin } from './transform.ts';
