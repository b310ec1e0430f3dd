/** Progress of a run that has several stages, as one bar that only grows. */

import type { RunContext } from '../nouns/run.ts';

/** A context whose progress fills the part of its parent's from `start` to `end` (0 to 1). */
export function stageOf(context: RunContext, start: number, end: number): RunContext {
  return {
    ...context,
    progress(update) {
      const share = update.total > 0 ? Math.min(1, update.done / update.total) : 0;
      context.progress({ ...update, done: start + share * (end - start), total: 1 });
    },
  };
}
