/** What a contract check is given: a registered method, its task and ways to look at them. */

import { createHash } from 'node:crypto';
import { AssayError } from '../../src/error.ts';
import type { AnyMethod } from '../../src/nouns/method.ts';
import { memoryCheckpoint, type RunContext, runContext } from '../../src/nouns/run.ts';
import type { AnyTask, TaskSample } from '../../src/nouns/task.ts';

export interface Subject {
  readonly method: AnyMethod;
  readonly task: AnyTask;
  readonly sample: TaskSample<unknown>;
  /** Default options. */
  readonly options: Record<string, unknown>;
  /** Digest of a plain run with seed 0, made once. */
  readonly digest: string;
}

export async function createSubject(method: AnyMethod, task: AnyTask): Promise<Subject> {
  const sample = await task.sample(0);
  const options = method.options.parse({});
  const output = await method.run(sample.input, options, runContext());
  return { method, task, sample, options, digest: task.digest(output) };
}

/** Runs the method on the sample and returns the digest of its output. */
export async function runDigest(
  { method, task, sample, options }: Subject,
  context: Partial<RunContext> = {},
): Promise<string> {
  return task.digest(await method.run(sample.input, options, runContext(context)));
}

/** The error a call ends with; undefined when it succeeds. */
export async function errorOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error;
  }
}

export function isUserError(error: unknown): error is AssayError {
  return error instanceof AssayError;
}

/** A memory checkpoint that counts what is written to it. */
export function countingCheckpoint() {
  const inner = memoryCheckpoint();
  const written: string[] = [];
  return {
    written,
    read: inner.read,
    async write(key: string, bytes: Uint8Array) {
      written.push(key);
      await inner.write(key, bytes);
    },
  };
}

/** Hash of everything reachable in a value: plain objects, typed arrays, parameter sources. */
export async function deepDigest(value: unknown): Promise<string> {
  const hash = createHash('sha256');
  const seen = new Set<unknown>();
  const visit = async (node: unknown): Promise<void> => {
    if (ArrayBuffer.isView(node)) {
      hash.update(new Uint8Array(node.buffer, node.byteOffset, node.byteLength));
    } else if (typeof node === 'object' && node !== null) {
      if (seen.has(node)) return;
      seen.add(node);
      for (const [key, child] of Object.entries(node)) {
        hash.update(key);
        await visit(child);
      }
      const source = node as { names?: string[]; read?: (name: string) => unknown };
      if (Array.isArray(source.names) && typeof source.read === 'function') {
        for (const name of source.names) await visit(await source.read(name));
      }
    } else if (typeof node !== 'function') {
      hash.update(String(node));
    }
  };
  await visit(value);
  return hash.digest('hex');
}

/** Freezes every plain object and array reachable in a value. */
export function deepFreeze(value: unknown, seen = new Set<unknown>()): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  seen.add(value);
  if (ArrayBuffer.isView(value)) return;
  Object.freeze(value);
  for (const child of Object.values(value)) deepFreeze(child, seen);
}
