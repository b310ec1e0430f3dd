/** Runs rivals of a task on one input, measures each, and recommends one. */

import { AssayError, CancelledError, throwIfCancelled } from '../error.ts';
import type { AnyMethod } from '../nouns/method.ts';
import { parseOptions } from '../nouns/options.ts';
import type { Progress, RunContext } from '../nouns/run.ts';
import type { AnyTask, Candidate, ComparisonRow, Recommendation } from '../nouns/task.ts';
import type { Registry } from '../registry.ts';
import { readJsonPiece, scopedCheckpoint, writeJsonPiece } from './checkpoint.ts';
import { estimateRun } from './estimate.ts';
import { fingerprint } from './fingerprint.ts';
import { measure } from './measure.ts';

/** Name of the row that measures the untouched input. */
export const referenceName = 'reference';

/** Output of `assay compare --json`. */
export interface Comparison {
  readonly task: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  /** The untouched input first, then the rivals in the order asked for. */
  readonly rows: readonly ComparisonRow[];
  readonly recommendation: Recommendation | null;
}

export interface CompareRequest {
  readonly registry: Registry;
  readonly task: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  /** Absent: the default rivals of the task. */
  readonly candidates?: readonly Candidate[] | undefined;
  readonly budget?: Readonly<Record<string, unknown>> | undefined;
  readonly context: RunContext;
  readonly onRow?: (row: ComparisonRow) => void;
  /** Gets the hashes that the task gives for what it opened. */
  readonly onHashes?: (hashes: Readonly<Record<string, string>>) => void;
}

/** A rival with its options checked and completed by their defaults. */
interface Rival extends Candidate {
  readonly implementation: AnyMethod;
}

/**
 * Measures the untouched input and every rival, one after another. A rival that fails, or that
 * cannot fit into memory, yields a row with `error`; wrong options and inputs throw before
 * anything runs. Rows already in the checkpoint are not measured again.
 *
 * @throws InvalidInputError naming the option, AssayError `not-found`, CancelledError.
 */
export async function compare(request: CompareRequest): Promise<Comparison> {
  const { registry, context, onRow } = request;
  const task = registry.task(request.task);
  const inputs = parseOptions(task.inputs, request.inputs);
  const budget = parseOptions(task.budget, request.budget ?? {});
  if (request.candidates) request.candidates.map((each) => rivalOf(registry, task, each));
  context.progress({ done: 0, total: 1, label: 'opening the input' });
  const input: unknown = await task.load(inputs, context);
  request.onHashes?.(task.hashes?.(input) ?? {});
  const rivals = (request.candidates ?? task.candidates(input)).map((each) =>
    rivalOf(registry, task, each),
  );
  const rows: ComparisonRow[] = [];
  const keep = (row: ComparisonRow) => {
    rows.push(row);
    onRow?.(row);
  };
  const part = (index: number, name: string) =>
    partOf(context, index, rivals.length + 1, name);
  keep(
    await remembered(context, referenceName, () =>
      measureReference(task, input, part(0, 'the untouched input')),
    ),
  );
  for (const [index, rival] of rivals.entries()) {
    throwIfCancelled(context.signal, 'the comparison');
    const key = fingerprint({ method: rival.method, options: rival.options });
    const own = part(index + 1, rival.method);
    const scoped = { ...own, checkpoint: scopedCheckpoint(context.checkpoint, key) };
    keep(await remembered(context, key, () => measureRival(task, input, rival, scoped)));
  }
  context.progress({ done: 1, total: 1, label: 'done' });
  return { task: task.name, inputs, rows, recommendation: task.recommend(rows, budget) };
}

function rivalOf(registry: Registry, task: AnyTask, candidate: Candidate): Rival {
  const implementation = registry.method(candidate.method, task.name);
  const options = parseOptions(
    implementation.options,
    candidate.options,
    (name) => `${candidate.method}.${name}`,
  );
  return { method: candidate.method, options, implementation };
}

async function measureReference(
  task: AnyTask,
  input: unknown,
  context: RunContext,
): Promise<ComparisonRow> {
  const metrics = await task.evaluate(input, undefined, context);
  requireFinite(metrics);
  return {
    method: referenceName,
    options: {},
    paper: null,
    metrics,
    seconds: 0,
    peakBytes: 0,
  };
}

async function measureRival(
  task: AnyTask,
  input: unknown,
  rival: Rival,
  context: RunContext,
): Promise<ComparisonRow> {
  const { method, options, implementation } = rival;
  const paper = implementation.paper ?? null;
  // Running counts as the first two thirds of a rival's work, evaluating as the rest.
  const running = shareOf(context, 0, 2 / 3);
  const evaluating = shareOf(context, 2 / 3, 1);
  try {
    estimateRun(implementation, input, options);
    const { value, seconds, peakBytes } = await measure(() =>
      implementation.run(input, options, running),
    );
    const metrics = await task.evaluate(input, value, evaluating);
    requireFinite(metrics);
    return { method, options, paper, metrics, seconds, peakBytes };
  } catch (error) {
    if (error instanceof CancelledError || context.signal.aborted) throw error;
    const message = error instanceof Error ? error.message : String(error);
    return {
      method,
      options,
      paper,
      metrics: {},
      seconds: 0,
      peakBytes: 0,
      error: message,
    };
  }
}

/** JSON cannot hold infinities, and a rival whose output has none of a metric has failed. */
function requireFinite(metrics: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(metrics)) {
    if (!Number.isFinite(value)) {
      throw new AssayError('unsupported', `its ${name} came out as ${value}`);
    }
  }
}

async function remembered(
  context: RunContext,
  key: string,
  work: () => Promise<ComparisonRow>,
): Promise<ComparisonRow> {
  const stored = await readJsonPiece(context.checkpoint, `row/${key}`);
  if (stored !== undefined) return stored as ComparisonRow;
  const row = await work();
  await writeJsonPiece(context.checkpoint, `row/${key}`, row);
  return row;
}

function partOf(
  context: RunContext,
  index: number,
  total: number,
  name: string,
): RunContext {
  const own: RunContext = {
    ...context,
    progress: (update) =>
      context.progress({ ...update, label: `${name}: ${update.label}` }),
  };
  return shareOf(own, index / total, (index + 1) / total);
}

/** A context whose progress fills the part from `start` to `end` of its parent's. */
function shareOf(context: RunContext, start: number, end: number): RunContext {
  return {
    ...context,
    progress(update: Progress) {
      const fraction = update.total > 0 ? Math.min(1, update.done / update.total) : 0;
      context.progress({ ...update, done: start + fraction * (end - start), total: 1 });
    },
  };
}
