/** Whether the app stays responsive while a quantization runs: event-loop delay and page latency. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { isFinished } from '../src/lab/job.ts';
import { startServer } from '../src/server/start.ts';
import { percentile } from './median.ts';

export async function run(): Promise<string[]> {
  const home = mkdtempSync(join(tmpdir(), 'assay-bench-'));
  const server = await startServer({ port: 0, home, databaseUrl: '' });
  try {
    const jobs = await server.lab.jobs();
    const idle = await observe(server.url, async () => wait(5000));
    const busy = await observe(server.url, async () => {
      const { id } = await server.lab.submit({
        kind: 'comparison',
        request: {
          task: 'quantize',
          inputs: {},
          candidates: [{ method: 'awq', options: { bits: 4 } }],
        },
      });
      for (;;) {
        const job = jobs.list().find((each) => each.id === id);
        if (job && isFinished(job)) return;
        await wait(200);
      }
    });
    return [line('idle', idle), line('while AWQ runs', busy)];
  } finally {
    await server.close();
    rmSync(home, { recursive: true, force: true });
  }
}

interface Observation {
  readonly delay: number;
  readonly latency: number;
  readonly requests: number;
}

async function observe(url: string, during: () => Promise<void>): Promise<Observation> {
  const histogram = monitorEventLoopDelay({ resolution: 10 });
  const latencies: number[] = [];
  let ended = false;
  const ask = async () => {
    while (!ended) {
      const started = performance.now();
      await (await fetch(`${url}/api/papers?q=quantization`)).arrayBuffer();
      latencies.push(performance.now() - started);
      await wait(50);
    }
  };
  histogram.enable();
  const asking = ask();
  await during();
  ended = true;
  await asking;
  histogram.disable();
  return {
    delay: histogram.percentile(99) / 1e6,
    latency: percentile(latencies, 0.99),
    requests: latencies.length,
  };
}

function line(name: string, { delay, latency, requests }: Observation): string {
  return `${name}: event-loop delay p99 ${delay.toFixed(1)} ms, search p99 ${latency.toFixed(1)} ms over ${requests} requests`;
}
