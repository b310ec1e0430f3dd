/** Does the work of one job from its request to its stored result. */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseOptions } from '../nouns/options.ts';
import type { Progress, RunContext } from '../nouns/run.ts';
import type { ComparisonRow } from '../nouns/task.ts';
import type { Registry } from '../registry.ts';
import { applyMethod } from './apply.ts';
import {
  openCheckpoint,
  readJsonPiece,
  resultKey,
  type StoredCheckpoint,
  writeJsonPiece,
} from './checkpoint.ts';
import { compare } from './compare.ts';
import { machine, versions } from './environment.ts';
import { fingerprint } from './fingerprint.ts';
import { hashInputs } from './input-hashes.ts';
import { titleOf, type Work } from './job.ts';
import { reproduce } from './reproduce.ts';
import { type Outcome, readResult, type StoredResult, writeResult } from './results.ts';

export interface Execution {
  readonly registry: Registry;
  readonly home: string;
  /** Identifier of the job: names the directory of an artifact. */
  readonly job: string;
  readonly work: Work;
  readonly threads: number;
  readonly signal: AbortSignal;
  /** The caller clears the checkpoint once it has noted the result. */
  readonly keepCheckpoint?: boolean;
  progress(update: Progress): void;
  row(row: ComparisonRow): void;
}

/** A stored result and the checkpoint to clear once the job is known to be done. */
export interface Executed {
  readonly result: string;
  readonly checkpoint: string;
}

/**
 * Runs the work and stores the result as a file. With `keepCheckpoint` the checkpoint stays
 * until the caller has noted the result, so that a crash in between neither loses nor repeats
 * work when the same job is taken up again.
 */
export async function execute(execution: Execution): Promise<Executed> {
  const { home, work, registry, signal } = execution;
  const startedAt = new Date();
  const seed = seedOf(work);
  const hashes: Record<string, string> =
    work.kind === 'claim'
      ? {}
      : await hashInputs(parsedInputs(registry, work.request), signal);
  const identity = {
    kind: work.kind,
    request: requestIdentity(work),
    hashes,
    seed,
    versions: versions(),
  };
  const runFingerprint = fingerprint(identity);
  const checkpoint = openCheckpoint(home, runFingerprint);
  const earlier = await earlierResult(execution, checkpoint);
  if (earlier !== undefined) {
    const rows = earlier.kind === 'comparison' ? earlier.result.rows : [];
    for (const row of rows) execution.row(row);
    return { result: earlier.id, checkpoint: runFingerprint };
  }
  const outcome = await produce(execution, checkpoint, seed, hashes);
  const finishedAt = new Date();
  const result = await writeResult(home, {
    ...outcome,
    format: 1,
    fingerprint: runFingerprint,
    title: titleOf(work),
    hashes,
    seed,
    versions: versions(),
    machine: machine(),
    startedAt: startedAt.toISOString(),
    finishedAt: finishedAt.toISOString(),
    seconds: (finishedAt.getTime() - startedAt.getTime()) / 1000,
  });
  if (execution.keepCheckpoint) {
    const note: ResultNote = { job: execution.job, result };
    await writeJsonPiece(checkpoint, resultKey, note);
  } else {
    await checkpoint.clear();
  }
  return { result, checkpoint: runFingerprint };
}

/** Does the work, and completes the hashes by what the task says it opened. */
async function produce(
  execution: Execution,
  checkpoint: StoredCheckpoint,
  seed: number,
  hashes: Record<string, string>,
): Promise<Outcome> {
  const { registry, work, home, job, threads, signal } = execution;
  const progress = (update: Progress) => execution.progress(update);
  const context: RunContext = { seed, threads, signal, checkpoint, progress };
  switch (work.kind) {
    case 'comparison': {
      const { request, kind } = work;
      const onRow = (row: ComparisonRow) => execution.row(row);
      const onHashes = (opened: object) => void Object.assign(hashes, opened);
      const result = await compare({ registry, ...request, context, onRow, onHashes });
      return { kind, request, result };
    }
    case 'claim': {
      const { request, kind } = work;
      const claim = registry.claim(request.paper);
      const { seeds, full } = request;
      return { kind, request, result: await reproduce({ claim, seeds, full, context }) };
    }
    case 'artifact': {
      const { request, kind } = work;
      const directory = join(home, 'artifacts', job);
      // Left by an attempt that crashed before its result was stored.
      await rm(directory, { recursive: true, force: true });
      const artifact = await applyMethod({ registry, ...request, directory, context });
      Object.assign(hashes, artifact.recipe.hashes);
      return { kind, request, result: { ...artifact, directory: job } };
    }
  }
}

/** Says in the checkpoint that a job has come to its end. */
interface ResultNote {
  readonly job: string;
  readonly result: string;
}

async function earlierResult(
  { home, job }: Execution,
  checkpoint: StoredCheckpoint,
): Promise<StoredResult | undefined> {
  const note = (await readJsonPiece(checkpoint, resultKey)) as ResultNote | undefined;
  if (note?.job !== job) return undefined;
  return readResult(home, note.result).catch(() => undefined);
}

function seedOf(work: Work): number {
  return work.kind === 'claim' ? 0 : (work.request.seed ?? 0);
}

function parsedInputs(
  registry: Registry,
  request: { readonly task: string; readonly inputs: Readonly<Record<string, unknown>> },
): Record<string, unknown> {
  return parseOptions(registry.task(request.task).inputs, request.inputs);
}

/** What of a request decides the result, beside the content of its inputs. */
function requestIdentity(work: Work): unknown {
  if (work.kind === 'claim') return work.request;
  const { inputs: _, ...rest } = work.request;
  return rest;
}
