/**
 * Starts and stops the process that does a job. A process and not a thread, because ending a
 * thread inside a native ONNX Runtime call aborts the whole process that it belongs to.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Progress } from '../nouns/run.ts';
import type { ComparisonRow } from '../nouns/task.ts';
import type { Work } from './job.ts';
import type { WorkerReport, WorkerRequest } from './messages.ts';
import { moduleUrl } from './module-url.ts';

export interface RunnerOptions {
  readonly home: string;
  readonly job: string;
  readonly work: Work;
  readonly threads: number;
  readonly registry: URL;
  /** Milliseconds that a cancelled run has to stop by itself. */
  readonly graceMilliseconds: number;
  progress(update: Progress): void;
  row(row: ComparisonRow): void;
  /** What the process writes to its standard error. */
  log(text: string): void;
}

export type RunnerOutcome =
  | { readonly type: 'done'; readonly result: string; readonly checkpoint: string }
  | { readonly type: 'error'; readonly code: string; readonly message: string };

export interface Runner {
  /** Never rejects: a process that dies is an outcome too. */
  readonly outcome: Promise<RunnerOutcome>;
  /** Asks the run to stop and ends its process after the grace period. */
  cancel(): void;
  /** Ends the process at once; the run can go on from its checkpoint. */
  kill(): void;
}

export function startRunner(options: RunnerOptions): Runner {
  const { home, job, work, threads, graceMilliseconds } = options;
  const child = fork(fileURLToPath(moduleUrl('./worker', import.meta.url)), [], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: [],
  });
  let cancelled = false;
  let grace: NodeJS.Timeout | undefined;
  const errors = tailOf(child, options.log);
  const outcome = new Promise<RunnerOutcome>((resolve) => {
    let last: RunnerOutcome | undefined;
    child.on('message', (message: WorkerReport) => {
      switch (message.type) {
        case 'ready':
          send(child, {
            type: 'start',
            home,
            job,
            work,
            threads,
            registry: options.registry.href,
          });
          return;
        case 'progress':
          return options.progress(message.progress);
        case 'row':
          return options.row(message.row);
        default:
          last = message;
      }
    });
    child.once('error', (error) => {
      last ??= { type: 'error', code: 'environment', message: error.message };
      resolve(last);
    });
    child.once('close', (code, signal) => {
      clearTimeout(grace);
      const how = signal ? `was ended by ${signal}` : `ended with code ${code}`;
      const died = { code: 'internal', message: `its process ${how}${errors()}` };
      const stopped = { code: 'cancelled', message: 'the run was cancelled' };
      resolve(last ?? { type: 'error', ...(cancelled ? stopped : died) });
    });
  });
  return {
    outcome,
    cancel() {
      if (cancelled) return;
      cancelled = true;
      send(child, { type: 'cancel' });
      grace = setTimeout(() => child.kill('SIGKILL'), graceMilliseconds);
    },
    kill() {
      child.kill('SIGKILL');
    },
  };
}

function send(child: ChildProcess, message: WorkerRequest): void {
  // The process may just have ended; `close` reports that.
  if (child.connected) child.send(message, () => {});
}

/** The last line that a process wrote to its standard error, for the message of its death. */
function tailOf(child: ChildProcess, log: (text: string) => void): () => string {
  let tail = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-2000);
    log(text);
  });
  return () => {
    const line = tail.trim().split('\n').at(-1)?.trim();
    return line ? `: ${line}` : '; it may have run out of memory';
  };
}
