/** Documents split by file into those to train on and those to measure on. */

import { splitOf } from '../data/installed-text.ts';
import type { TextDocument } from '../data/text.ts';
import type { TrainingDocuments } from './language-model.ts';

/**
 * About a tenth of the documents is held out: those whose name's SHA-256 is divisible by ten,
 * so that a document stays on its side whatever else is there. Nothing is held out of a
 * single document.
 */
export function splitDocuments(documents: readonly TextDocument[]): TrainingDocuments {
  if (documents.length < 2) {
    return { training: documents.map(({ text }) => text), heldOut: [] };
  }
  const held = new Set(documents.filter(({ name }) => splitOf(name) === 'held-out'));
  // By chance every document can fall on one side; then the last one is held out.
  if (held.size === 0 || held.size === documents.length) {
    held.clear();
    held.add(documents.at(-1)!);
  }
  const texts = (wanted: boolean) =>
    documents.filter((one) => held.has(one) === wanted).map(({ text }) => text);
  return { training: texts(false), heldOut: texts(true) };
}
