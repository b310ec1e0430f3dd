/** Seconds from starting `assay serve` to its first answers, with a new home and with a used one. */

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const command = join(import.meta.dirname, '..', 'bin', 'assay.js');

export async function run(): Promise<string[]> {
  const home = mkdtempSync(join(tmpdir(), 'assay-bench-'));
  try {
    const first = await start(home);
    const second = await start(home);
    const third = await start(home);
    return [
      line('first start, database created', first),
      line('second start', second),
      line('third start', third),
    ];
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

interface Times {
  readonly page: number;
  readonly database: number;
}

async function start(home: string): Promise<Times> {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const child = spawn(process.execPath, [command, 'serve', '--port', '0', '--no-open'], {
    env: { ...process.env, ASSAY_HOME: home },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    let text = '';
    for await (const chunk of child.stdout) {
      text += String(chunk);
      if (text.includes('\n')) break;
    }
    const url = /http:\S+/.exec(text)![0];
    await (await fetch(`${url}/api/papers?limit=100`)).json();
    const page = seconds();
    for (;;) {
      const health = (await (await fetch(`${url}/api/health`)).json()) as {
        database: string;
      };
      if (health.database === 'ready') return { page, database: seconds() };
      await wait(20);
    }
  } finally {
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGTERM');
    await ended;
  }
}

function line(name: string, { page, database }: Times): string {
  return `${name}: papers after ${page.toFixed(2)} s, database after ${database.toFixed(2)} s`;
}
