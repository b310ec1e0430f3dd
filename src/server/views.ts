/** Nouns of the lower floors in the shape of the API. */

import type { FeedDetail, FeedPaper } from '../feed/feed.ts';
import type { StoredClaim, StoredResult } from '../lab/results.ts';
import type { AnyMethod } from '../nouns/method.ts';
import { optionsJsonSchema } from '../nouns/options.ts';
import type { AnyTask } from '../nouns/task.ts';
import type { Registry } from '../registry.ts';
import type {
  MethodInfo,
  PaperDetail,
  PaperItem,
  StoredResultItem,
  TaskInfo,
} from './schema.ts';

export function paperItem(paper: FeedPaper): PaperItem {
  const { venue, code, verified, ...rest } = paper;
  return {
    ...rest,
    venue: venue ?? null,
    code: code ?? null,
    verified: verified ?? null,
  };
}

export function paperDetail(detail: FeedDetail): PaperDetail {
  const { experiment } = detail;
  return {
    ...paperItem(detail.paper),
    methods: detail.methods.map(methodInfo),
    rivals: detail.rivals.map(methodInfo),
    experiment: experiment && { ...experiment, seeds: [...experiment.seeds] },
    latest: detail.latest && latestClaim(detail.latest),
  };
}

function latestClaim({
  id,
  finishedAt,
  result,
}: StoredClaim): NonNullable<PaperDetail['latest']> {
  return {
    ...result,
    rows: [...result.rows],
    gates: [...result.gates],
    notes: [...result.notes],
    summary: [...result.summary],
    id,
    finishedAt,
  };
}

export function methodInfo(method: AnyMethod): MethodInfo {
  return {
    name: method.name,
    task: method.task,
    paper: method.paper ?? null,
    status: 'runs',
    title: method.title,
    summary: method.summary,
    options: optionsJsonSchema(method.options),
  };
}

export function taskInfo(registry: Registry, task: AnyTask): TaskInfo {
  const methods = registry.methodsOf(task.name);
  return {
    name: task.name,
    room: task.room,
    title: task.title,
    summary: task.summary,
    inputs: optionsJsonSchema(task.inputs),
    budget: optionsJsonSchema(task.budget),
    metrics: [...task.metrics],
    plot: task.plot,
    methods: methods.map((method) => method.name),
    candidates: methods.map((method) => ({
      method: method.name,
      options: defaultsOf(method),
    })),
    formats: task.formats.map((format) => format.name),
  };
}

/** A stored result without what is only of use on disk. */
export function storedResult(stored: StoredResult): StoredResultItem {
  const { format: _, ...rest } = stored;
  if (rest.kind !== 'artifact') return rest as unknown as StoredResultItem;
  const { directory: __, ...result } = rest.result;
  return { ...rest, result } as unknown as StoredResultItem;
}

function defaultsOf(method: AnyMethod): Record<string, unknown> {
  // An option without a default has to be filled in by the user.
  const parsed = method.options.safeParse({});
  return parsed.success ? (parsed.data as Record<string, unknown>) : {};
}
