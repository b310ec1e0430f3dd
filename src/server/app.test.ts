/** Tests of the API over a real socket: shapes, errors, events, downloads and what is refused. */

import { mkdir, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { z } from 'zod';
import { registry } from '../../test/rooms/guess.ts';
import { addDatabase, sharedHome } from '../../test/rooms/home.ts';
import { endpoints } from './endpoints.ts';
import * as schema from './schema.ts';
import { isOwnHost } from './security.ts';
import { type StartedServer, startServer } from './start.ts';

// Opening the embedded database takes long on a busy machine.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

let server: StartedServer;

beforeAll(async () => {
  const home = await addDatabase(await sharedHome());
  const webDirectory = join(home, 'web');
  await mkdir(join(webDirectory, 'assets'), { recursive: true });
  await writeFile(
    join(webDirectory, 'index.html'),
    '<!doctype html><title>Assay</title>',
  );
  await writeFile(join(webDirectory, 'assets', 'main-1a2b.js'), 'export {};');
  await writeFile(join(home, 'secret.txt'), 'secret');
  server = await startServer({
    home,
    port: 0,
    databaseUrl: '',
    webDirectory,
    registry,
    registryUrl: new URL('../../test/rooms/guess.ts', import.meta.url),
  });
});

afterAll(() => server?.close());

/** Checks that the answer is exactly of the documented shape: no missing and no extra field. */
async function get<S extends z.ZodType>(path: string, shape: S): Promise<z.output<S>> {
  const response = await fetch(server.url + path);
  expect(response.status, path).toBe(200);
  const body: unknown = await response.json();
  const parsed = shape.parse(body);
  expect(parsed).toEqual(body);
  return parsed;
}

async function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as unknown };
}

async function submit(path: string, body: unknown) {
  const { status, body: job } = await post(path, body);
  expect(status).toBe(202);
  return schema.jobSchema.parse(job);
}

async function finished(id: string) {
  for (;;) {
    const job = await get(`/api/jobs/${id}`, schema.jobSchema);
    if (!['queued', 'running'].includes(job.state)) return job;
    await wait(30);
  }
}

/** A request with headers that `fetch` does not let one set. */
function raw(
  method: string,
  path: string,
  headers: Record<string, string>,
  body = '',
): Promise<{ status: number; text: string; headers: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest(server.url, { method, path, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text, headers: response.headers }),
      );
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

describe('the catalog over HTTP', () => {
  it('lists, pages and describes papers and rooms', async () => {
    const all = await get('/api/papers?limit=100', schema.paperListSchema);
    expect(all.items).toHaveLength(73);
    expect(all.next).toBeNull();
    const first = await get('/api/papers?limit=10&sort=date', schema.paperListSchema);
    const second = await get(
      `/api/papers?limit=10&sort=date&cursor=${first.next}`,
      schema.paperListSchema,
    );
    expect([...first.items, ...second.items]).toEqual(all.items.slice(0, 20));
    const quantize = await get('/api/papers?room=quantize&q=awq', schema.paperListSchema);
    expect(quantize.items[0]?.slug).toBe('awq');
    const detail = await get('/api/papers/awq', schema.paperDetailSchema);
    expect(detail).toMatchObject({ status: 'spec', latest: null, experiment: null });
    const { items } = await get('/api/rooms', schema.roomListSchema);
    expect(items).toHaveLength(14);
    expect(items.reduce((sum, room) => sum + room.papers, 0)).toBe(73);
  });

  it('lists tasks and methods with the schemas of their options', async () => {
    const { items } = await get('/api/methods', schema.methodListSchema);
    expect(items.map((method) => method.name)).toContain('shift');
    const method = await get('/api/methods/shift', schema.methodInfoSchema);
    expect(method.options).toMatchObject({ properties: { by: { default: 1 } } });
    const tasks = await get('/api/tasks', schema.taskListSchema);
    expect(tasks.items).toHaveLength(1);
    const task = await get('/api/tasks/guess', schema.taskInfoSchema);
    expect(task.candidates).toContainEqual({ method: 'shift', options: { by: 1 } });
    expect(task.formats).toEqual(['text', 'json']);
  });

  it('says how it is', async () => {
    const health = await get('/api/health', schema.healthSchema);
    expect(health.pid).toBe(process.pid);
    expect(health.version).toMatch(/^\d+\.\d+\.\d+/);
  });
});

describe('work over HTTP', () => {
  it('compares with live events and stores a result with a plot', async () => {
    expect(
      await get('/api/comparisons/latest', schema.latestComparisonSchema),
    ).toBeNull();
    const candidates = [
      { method: 'slow', options: { steps: 30, milliseconds: 20 } },
      { method: 'broken', options: {} },
    ];
    const request = { task: 'guess', inputs: { text: 'abc' }, candidates };
    const { id } = await submit('/api/comparisons', request);
    const response = await fetch(`${server.url}/api/jobs/${id}/events`);
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const text = await response.text();
    const events = [...text.matchAll(/^event: job\ndata: (.*)$/gm)].map(([, data]) =>
      schema.jobSchema.parse(JSON.parse(data!)),
    );
    expect(events.at(-1)).toMatchObject({ state: 'done' });
    const steps = events
      .map((job) => job.progress?.metrics?.step)
      .filter(Number.isFinite);
    expect(steps.length).toBeGreaterThan(1);
    const job = await finished(id);
    expect(job.rows.map((row) => row.method)).toEqual(['reference', 'slow', 'broken']);
    expect(job.rows[2]?.error).toBe('this method always fails');
    const late = await (await fetch(`${server.url}/api/jobs/${id}/events`)).text();
    expect(late.match(/^data: /gm)).toHaveLength(1);
    const stored = await get(`/api/results/${job.result}`, schema.storedResultSchema);
    expect(stored).toMatchObject({ kind: 'comparison', request });
    const latest = await get('/api/comparisons/latest', schema.latestComparisonSchema);
    expect(latest?.id).toBe(job.result);
    const plot = await fetch(`${server.url}/api/results/${job.result}/plot.svg`);
    expect(plot.headers.get('content-type')).toContain('image/svg+xml');
    expect(await plot.text()).toContain('<svg');
    const jobs = await get('/api/jobs', schema.jobListSchema);
    expect(jobs.items.map((each) => each.id)).toContain(id);
  });

  it('runs a claim and shows its verdict', async () => {
    const { id } = await submit('/api/claims', { paper: 'shift-paper', seeds: [4, 5] });
    const { result } = await finished(id);
    const list = await get('/api/results?kind=claim', schema.resultListSchema);
    expect(list.items[0]).toMatchObject({
      id: result,
      paper: 'shift-paper',
      holds: true,
    });
    const stored = await get(`/api/results/${result}`, schema.storedResultSchema);
    expect(stored.kind === 'claim' && stored.result.rows).toHaveLength(2);
    expect((await fetch(`${server.url}/api/results/${result}/plot.svg`)).status).toBe(
      404,
    );
  });

  it('makes an artifact whose files download under their own name only', async () => {
    const { id } = await submit('/api/artifacts', {
      task: 'guess',
      inputs: { text: 'abc' },
      method: 'shift',
      options: { by: 1 },
      formats: ['json', 'text'],
    });
    const { result } = await finished(id);
    await get(`/api/results/${result}`, schema.storedResultSchema);
    const { files, recipe } = await get(
      `/api/artifacts/${result}`,
      schema.artifactSchema,
    );
    expect(files.map((file) => file.name)).toEqual([
      'guess.txt',
      'guess.json',
      'recipe.json',
    ]);
    expect(recipe.options).toEqual({ by: 1 });
    const base = `/api/artifacts/${result}/files/`;
    const file = await fetch(`${server.url}${base}guess.txt`);
    expect(await file.text()).toBe('bcd');
    expect(file.headers.get('content-disposition')).toContain('filename="guess.txt"');
    for (const name of ['..%2F..%2Fhome.json', '../../home.json', 'nothing', '%2e%2e']) {
      const { status } = await raw('GET', base + name, {});
      expect(status, name).toBe(404);
    }
  });

  it('cancels', async () => {
    const candidates = [{ method: 'slow', options: { steps: 10_000 } }];
    const { id } = await submit('/api/comparisons', { task: 'guess', candidates });
    expect((await post(`/api/jobs/${id}/cancel`, {})).status).toBe(200);
    expect((await finished(id)).state).toBe('cancelled');
  });
});

describe('what is refused', () => {
  it('has one shape, a status and the name of what is wrong', async () => {
    const wrong: [string, unknown, number, string | undefined][] = [
      ['/api/comparisons', { task: 'nothing' }, 404, undefined],
      ['/api/comparisons', {}, 400, 'task'],
      ['/api/comparisons', { task: 'guess', extra: 1 }, 400, 'extra'],
      ['/api/comparisons', { task: 'guess', inputs: { txt: '' } }, 400, 'inputs.txt'],
      [
        '/api/comparisons',
        { task: 'guess', budget: { maxError: -1 } },
        400,
        'budget.maxError',
      ],
      ['/api/comparisons', { task: 'guess', candidates: [] }, 400, 'candidates'],
      ['/api/comparisons', { task: 'guess', seed: -1 }, 400, 'seed'],
      ['/api/claims', { paper: 'awq' }, 404, undefined],
      ['/api/claims', { paper: 'shift-paper', seeds: [0.5] }, 400, 'seeds.0'],
      [
        '/api/artifacts',
        { task: 'guess', method: 'shift', formats: ['zip'] },
        400,
        'formats',
      ],
      ['/api/comparisons', '{"task":', 400, 'body'],
      ['/api/comparisons', `"${'x'.repeat(1024 * 1024)}"`, 413, undefined],
      ['/api/jobs/nothing/cancel', {}, 404, undefined],
      ['/api/nothing', {}, 404, undefined],
    ];
    for (const [path, body, status, argument] of wrong) {
      const answer = await post(path, body);
      const { error } = schema.errorSchema.parse(answer.body);
      const label = JSON.stringify([path, body]).slice(0, 100);
      expect(answer.status, label).toBe(status);
      expect(error.argument, label).toBe(argument);
    }
    for (const path of ['/api/papers?limit=0', '/api/papers?room=cellar']) {
      expect((await fetch(server.url + path)).status).toBe(400);
    }
    for (const path of ['/api/papers/x', '/api/results/x', '/api/jobs/x/events']) {
      const response = await fetch(server.url + path);
      expect(response.status).toBe(404);
      schema.errorSchema.parse(await response.json());
    }
  });

  it('includes writes from other sites and forms', async () => {
    const { host } = new URL(server.url);
    const json = { 'content-type': 'application/json', host };
    const body = '{"paper":"shift-paper"}';
    const tries: [Record<string, string>, number][] = [
      [{ ...json, origin: 'https://example.com' }, 403],
      [{ ...json, origin: 'null' }, 403],
      [{ ...json, origin: 'http://127.0.0.1:1' }, 403],
      [{ ...json, 'sec-fetch-site': 'cross-site' }, 403],
      [{ ...json, 'sec-fetch-site': 'same-site' }, 403],
      [{ host, 'content-type': 'text/plain' }, 400],
      [{ ...json, origin: server.url, 'sec-fetch-site': 'same-origin' }, 202],
    ];
    for (const [headers, status] of tries) {
      const answer = await raw('POST', '/api/claims', headers, body);
      expect(answer.status, JSON.stringify(headers)).toBe(status);
    }
  });

  it('includes hosts that only resolve to this machine', async () => {
    const { port } = new URL(server.url);
    for (const [host, status] of [
      [`evil.example:${port}`, 403],
      ['localhost.evil.example', 403],
      [`localhost:${port}`, 200],
      [`127.0.0.1:${port}`, 200],
      [`[::1]:${port}`, 200],
    ] as const) {
      expect((await raw('GET', '/api/rooms', { host })).status, host).toBe(status);
      expect((await raw('GET', '/', { host })).status, host).toBe(status);
    }
    for (const host of ['', 'localhost@evil.example', 'a b', 'evil.example/localhost']) {
      expect(isOwnHost(host, []), host).toBe(false);
    }
    expect(isOwnHost('Studio:80', ['studio'])).toBe(true);
  });
});

describe('pages', () => {
  it('come from the built front end, every address from its one page', async () => {
    for (const path of ['/', '/papers/awq', '/compare']) {
      const response = await fetch(server.url + path);
      expect(await response.text()).toContain('<title>Assay</title>');
      expect(response.headers.get('content-security-policy')).toContain(
        "default-src 'self'",
      );
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    }
    const script = await fetch(`${server.url}/assets/main-1a2b.js`);
    expect(script.headers.get('content-type')).toContain('text/javascript');
    expect(script.headers.get('cache-control')).toContain('immutable');
    expect((await fetch(`${server.url}/assets/missing.js`)).status).toBe(404);
  });

  it('never leave their directory', async () => {
    for (const path of [
      '/../secret.txt',
      '/%2e%2e/secret.txt',
      '/..%2fsecret.txt',
      '/assets/..%2f..%2fsecret.txt',
      '/%00',
      '/%ff',
    ]) {
      const { text } = await raw('GET', path, {});
      expect(text, path).not.toContain('secret\n');
      expect(text.trim(), path).not.toBe('secret');
    }
  });
});

describe('the OpenAPI document', () => {
  it('describes every route of the app and no other', async () => {
    const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
      openapi: string;
      paths: Record<string, Record<string, { responses: object }>>;
    };
    expect(document.openapi).toBe('3.1.0');
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    const listed = endpoints.map(
      ({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`,
    );
    expect(described.sort()).toEqual(listed.sort());
    for (const { method, path } of endpoints) {
      const address = path.replaceAll(/:\w+/g, 'x');
      const { text } = await raw(method.toUpperCase(), address, {
        'content-type': 'application/json',
      });
      expect(text, address).not.toContain('the API has no');
    }
  });
});
