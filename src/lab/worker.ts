/** The process that does one job: started by the owner, it reports over its channel and ends with it. */

import { Worker } from 'node:worker_threads';
import { AssayError } from '../error.ts';
import type { Registry } from '../registry.ts';
import { execute } from './execute.ts';
import type { WorkerReport, WorkerRequest } from './messages.ts';
import { moduleUrl } from './module-url.ts';

const cancelled = new AbortController();

process.on('message', (message: WorkerRequest) => {
  if (message.type === 'cancel') cancelled.abort();
  else void start(message);
});

// Without its owner nobody would note the result. The watchdog also works while this thread
// is inside a long computation.
process.on('disconnect', () => process.exit(1));
new Worker(moduleUrl('./watchdog', import.meta.url)).unref();
// Ctrl-C in a terminal reaches every process of the group: the owner decides what happens.
process.on('SIGINT', () => {});

await report({ type: 'ready' });

async function start(message: Extract<WorkerRequest, { type: 'start' }>): Promise<void> {
  const { home, job, work, threads } = message;
  let last: WorkerReport;
  try {
    const { registry } = (await import(message.registry)) as { registry: Registry };
    const executed = await execute({
      registry,
      home,
      job,
      work,
      threads,
      signal: cancelled.signal,
      keepCheckpoint: true,
      progress: throttled((progress) => void report({ type: 'progress', progress })),
      row: (row) => void report({ type: 'row', row }),
    });
    last = { type: 'done', ...executed };
  } catch (error) {
    last = { type: 'error', ...described(error) };
  }
  await report(last);
  process.exit(0);
}

function report(message: WorkerReport): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected) process.exit(1);
    process.send?.(message, undefined, {}, () => resolve());
  });
}

/** At most about ten updates a second, and always the last of a stage. */
function throttled<T extends { readonly done: number; readonly total: number }>(
  send: (update: T) => void,
): (update: T) => void {
  let sent = 0;
  return (update) => {
    const now = performance.now();
    if (now - sent < 100 && update.done < update.total) return;
    sent = now;
    send(update);
  };
}

function described(error: unknown): { code: string; message: string } {
  if (error instanceof AssayError) return { code: error.code, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${error instanceof Error ? error.stack : message}\n`);
  return { code: 'internal', message };
}
