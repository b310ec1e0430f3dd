/** Messages between the owner process and the process that does a job. */

import type { Progress } from '../nouns/run.ts';
import type { ComparisonRow } from '../nouns/task.ts';
import type { Work } from './job.ts';

export type WorkerRequest =
  | {
      readonly type: 'start';
      readonly home: string;
      readonly job: string;
      readonly work: Work;
      readonly threads: number;
      /** URL of a module that exports `registry`. */
      readonly registry: string;
    }
  | { readonly type: 'cancel' };

export type WorkerReport =
  | { readonly type: 'ready' }
  | { readonly type: 'progress'; readonly progress: Progress }
  | { readonly type: 'row'; readonly row: ComparisonRow }
  | { readonly type: 'done'; readonly result: string; readonly checkpoint: string }
  | { readonly type: 'error'; readonly code: string; readonly message: string };
