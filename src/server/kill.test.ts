/** Kills a serving process at random moments of a comparison: nothing on disk may break. */

import { type ChildProcess, spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { addDatabase, temporaryHome } from '../../test/rooms/home.ts';
import { sha256 } from '../format/hash.ts';
import { openEmbedded } from '../lab/database/embedded.ts';
import { jobListSchema, jobSchema, storedResultSchema } from './schema.ts';

const script = fileURLToPath(new URL('../../test/rooms/serve.ts', import.meta.url));
const kills = Number(process.env.ASSAY_TEST_KILLS ?? 20);

async function serve(home: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [script, home], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  for await (const chunk of child.stdout) {
    text += String(chunk);
    if (text.includes('\n')) break;
  }
  return { child, url: text.trim() };
}

function kill(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('close', () => resolve());
    child.kill('SIGKILL');
  });
}

async function submit(url: string): Promise<string> {
  const candidates = [
    { method: 'copy', options: {} },
    { method: 'slow', options: { steps: 60, milliseconds: 10 } },
    { method: 'shift', options: { by: 3 } },
  ];
  const response = await fetch(`${url}/api/comparisons`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ task: 'guess', inputs: { text: 'abc' }, candidates }),
  });
  return jobSchema.parse(await response.json()).id;
}

async function checkFiles(home: string): Promise<number> {
  const names = await readdir(join(home, 'results')).catch(() => []);
  const results = names.filter((name) => name.endsWith('.json') && !name.startsWith('.'));
  for (const name of results) {
    const bytes = await readFile(join(home, 'results', name));
    expect(`${sha256(bytes)}.json`).toBe(name);
  }
  return results.length;
}

describe('a killed server', () => {
  it(`leaves files and a database that open, and finishes its jobs later (${kills} kills)`, {
    timeout: 60_000 + kills * 20_000,
  }, async () => {
    const home = await addDatabase(await temporaryHome());
    const submitted: string[] = [];
    for (let round = 0; round < kills; round++) {
      const { child, url } = await serve(home);
      try {
        submitted.push(await submit(url));
        await wait(Math.random() * 1500);
      } finally {
        await kill(child);
      }
      await checkFiles(home);
    }
    const { child, url } = await serve(home);
    try {
      for (;;) {
        const response = await fetch(`${url}/api/jobs`);
        const { items } = jobListSchema.parse(await response.json());
        expect(new Set(items.map((job) => job.id))).toEqual(new Set(submitted));
        if (items.every((job) => job.state === 'done')) {
          for (const job of items) {
            const stored = await fetch(`${url}/api/results/${job.result}`);
            const result = storedResultSchema.parse(await stored.json());
            expect(result.kind === 'comparison' && result.result.rows).toEqual(job.rows);
            expect(job.rows.map((row) => row.method)).toEqual([
              'reference',
              'copy',
              'slow',
              'shift',
            ]);
          }
          break;
        }
        for (const job of items) expect(job.error).toBeNull();
        await wait(100);
      }
    } finally {
      await kill(child);
    }
    expect(await checkFiles(home)).toBeGreaterThan(0);
    const names = await readdir(home);
    expect(names.filter((name) => name.includes('broken'))).toEqual([]);
    const database = await openEmbedded(join(home, 'database'));
    const { rows } = await database.query('select state from assay.job');
    await database.close();
    expect(rows).toHaveLength(submitted.length);
  });
});
