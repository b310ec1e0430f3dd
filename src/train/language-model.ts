/** Trains a language model on documents: text to tokens to parameters to a model. */

import { InvalidInputError, throwIfCancelled } from '../error.ts';
import { memoryModel } from '../nn/memory-model.ts';
import type { LanguageModel } from '../nn/model.ts';
import type { RunContext } from '../nouns/run.ts';
import { configurationOf, type TrainingOptions } from './options.ts';
import { packTokens } from './token-batches.ts';
import { type TrainingPoint, trainTokens } from './train-tokens.ts';
import { trainVocabulary, type Vocabulary } from './vocabulary.ts';

/** Texts to learn from and, by file, others to measure on. */
export interface TrainingDocuments {
  readonly training: readonly string[];
  /** May be empty: then no held-out loss is measured. */
  readonly heldOut: readonly string[];
}

export interface TrainedLanguageModel {
  readonly model: LanguageModel;
  readonly history: readonly TrainingPoint[];
  readonly trainingTokens: number;
  readonly heldOutTokens: number;
}

/**
 * Trains a LLaMA-style model, with a vocabulary of its own from the training texts unless one
 * is given (`options.vocabulary` counts only then). Documents are encoded, ended by the end token and packed into
 * one stream; see `trainTokens` for seeds, checkpoints and cancellation.
 *
 * @throws InvalidInputError for too little text or sizes that do not fit, CancelledError.
 */
export async function trainLanguageModel(
  options: TrainingOptions,
  documents: TrainingDocuments,
  vocabulary: Vocabulary | null,
  context: RunContext,
): Promise<TrainedLanguageModel> {
  if (documents.training.every((text) => text === '')) {
    throw new InvalidInputError('documents', 'text to train on', 'none');
  }
  // Sizes that do not fit are refused before the vocabulary is trained.
  configurationOf(options, options.vocabulary, null);
  const { tokenizer, size, endToken } =
    vocabulary ??
    (await trainVocabulary(documents.training, options.vocabulary, context));
  const config = configurationOf(options, size, endToken);
  const pack = (texts: readonly string[]): Int32Array =>
    packTokens(
      texts.map((text) => {
        throwIfCancelled(context.signal, 'the training');
        return tokenizer.encode(text);
      }),
      endToken,
    );
  const training = pack(documents.training);
  const heldOut = documents.heldOut.length > 0 ? pack(documents.heldOut) : null;
  const trained = await trainTokens(config, training, heldOut, options, context);
  return {
    model: await memoryModel(config, trained.parameters, tokenizer, 'trained'),
    history: trained.history,
    trainingTokens: training.length,
    heldOutTokens: heldOut?.length ?? 0,
  };
}
