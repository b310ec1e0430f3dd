/** Training: optimizer, schedule, batches and the loop for language models. */

export {
  type AdamWOptions,
  type AdamWState,
  adamWState,
  adamWStep,
  clippingScale,
  globalNorm,
} from './adamw.ts';
export { splitDocuments } from './documents.ts';
export { decayedParameters, initialParameters } from './initial-parameters.ts';
export {
  type TrainedLanguageModel,
  type TrainingDocuments,
  trainLanguageModel,
} from './language-model.ts';
export { configurationOf, type TrainingOptions, trainingOptions } from './options.ts';
export { learningRateAt, type WarmupCosine } from './schedule.ts';
export { packTokens, type TokenBatch, tokenBatches } from './token-batches.ts';
export {
  type LoopOptions,
  type TrainedParameters,
  type TrainingPoint,
  trainTokens,
} from './train-tokens.ts';
export { trainVocabulary, type Vocabulary } from './vocabulary.ts';
