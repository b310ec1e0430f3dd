/** Server-sent events of a job: its state at once, then every change until it is finished. */

import { isFinished, type Job } from '../lab/job.ts';
import type { Jobs } from '../lab/jobs.ts';

const heartbeatMilliseconds = 15_000;
/** Tells the browser not to come back for a job that is over. */
const never = 24 * 60 * 60 * 1000;

/** A stream of `job` events. Throws `not-found` before anything is sent. */
export function jobEvents(jobs: Jobs, id: string, signal: AbortSignal): Response {
  const first = jobs.get(id);
  const encoder = new TextEncoder();
  let stop = () => {};
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const write = (text: string) => controller.enqueue(encoder.encode(text));
      const heartbeat = setInterval(
        () => write(': still here\n\n'),
        heartbeatMilliseconds,
      );
      heartbeat.unref();
      let unwatch = () => {};
      stop = () => {
        clearInterval(heartbeat);
        unwatch();
        signal.removeEventListener('abort', leave);
      };
      const leave = () => {
        stop();
        try {
          controller.close();
        } catch {
          // The reader has cancelled already.
        }
      };
      const send = (job: Job) => {
        if (isFinished(job)) write(`retry: ${never}\n`);
        write(`event: job\ndata: ${JSON.stringify(job)}\n\n`);
        if (isFinished(job)) leave();
      };
      signal.addEventListener('abort', leave);
      unwatch = jobs.watch(id, send);
      send(first);
    },
    cancel() {
      stop();
    },
  });
  return new Response(body, {
    headers: {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    },
  });
}
