/** Jobs as data: what is asked of the lab, and how far it has come. */

import type { Progress } from '../nouns/run.ts';
import type { Candidate, ComparisonRow } from '../nouns/task.ts';

export interface ComparisonRequest {
  readonly task: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  /** Absent: the default rivals of the task. */
  readonly candidates?: readonly Candidate[] | undefined;
  readonly budget?: Readonly<Record<string, unknown>> | undefined;
  readonly seed?: number | undefined;
}

export interface ClaimRequest {
  readonly paper: string;
  readonly full?: boolean | undefined;
  readonly seeds?: readonly number[] | undefined;
}

export interface ArtifactRequest {
  readonly task: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly method: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly seed?: number | undefined;
  readonly formats?: readonly string[] | undefined;
}

/** Kind and request belong together. */
export type Work =
  | { readonly kind: 'comparison'; readonly request: ComparisonRequest }
  | { readonly kind: 'claim'; readonly request: ClaimRequest }
  | { readonly kind: 'artifact'; readonly request: ArtifactRequest };

export type JobKind = Work['kind'];
export type JobState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled';

export interface JobProgress extends Progress {
  /** Seconds until the end at the pace so far; null while that is unknown. */
  readonly secondsLeft: number | null;
}

export type Job = Work & {
  readonly id: string;
  readonly title: string;
  readonly state: JobState;
  readonly progress: JobProgress | null;
  /** Rows of a comparison as they arrive. */
  readonly rows: readonly ComparisonRow[];
  /** Identifier of the stored result. */
  readonly result: string | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
};

/** What may change of a job while it lives. */
export type JobChange = Partial<
  Pick<
    Job,
    'state' | 'progress' | 'rows' | 'result' | 'error' | 'startedAt' | 'finishedAt'
  >
>;

export function isFinished(job: Job): boolean {
  return job.state === 'done' || job.state === 'failed' || job.state === 'cancelled';
}

/** What a job does, for people: `Compare quantize: rtn, awq`. */
export function titleOf(work: Work): string {
  switch (work.kind) {
    case 'comparison': {
      const names = new Set(work.request.candidates?.map(({ method }) => method));
      const rivals = names.size > 0 ? [...names].join(', ') : 'default rivals';
      return `Compare ${work.request.task}: ${rivals}`;
    }
    case 'claim':
      return `Reproduce ${work.request.paper}${work.request.full ? ' (full)' : ''}`;
    case 'artifact':
      return `Apply ${work.request.method} (${work.request.task})`;
  }
}

/** Seconds until the end at the pace so far; null before a hundredth of the work is done. */
export function secondsLeft(progress: Progress, elapsedSeconds: number): number | null {
  const { done, total } = progress;
  if (!(done > 0) || !(total > 0) || done / total < 0.01 || elapsedSeconds < 1)
    return null;
  return Math.max(0, Math.round((elapsedSeconds * (total - done)) / done));
}
