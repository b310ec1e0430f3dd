/** A pretend Assay server for working on the pages: the API's shapes, made-up numbers, no lab. */

import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { JobItem, PaperItem } from '../../../src/server/schema.ts';
import { papers, roomList } from './catalog.ts';
import { knownMethod, PretendLab } from './lab.ts';
import { methods, task } from './methods.ts';

const dist = fileURLToPath(new URL('../../../web/dist/', import.meta.url));

export interface PretendServer {
  readonly url: string;
  readonly lab: PretendLab;
  close(): Promise<void>;
}

/** Starts it on loopback. `step` is the time between two advances of a job. */
export async function startPretendServer(
  options: { port?: number; step?: number } = {},
): Promise<PretendServer> {
  const lab = new PretendLab(options.step ?? 60);
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const handled = url.pathname.startsWith('/api/')
      ? answerApi(lab, request, response, url)
      : Promise.resolve(sendPage(response, url.pathname));
    handled.catch((error) => fail(response, 500, 'internal', String(error)));
  });
  await new Promise<void>((done) => server.listen(options.port ?? 0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    lab,
    close: async () => {
      lab.stop();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

async function answerApi(
  lab: PretendLab,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<void> {
  const [, , noun, id, verb, file] = url.pathname.split('/').map(decodeURIComponent);
  if (request.method === 'POST') {
    const body = JSON.parse(await readBody(request));
    if (noun === 'jobs' && verb === 'cancel') return json(response, lab.cancel(id!));
    const unknown = (body.candidates ?? [body])
      .map((candidate: { method?: string }) => candidate.method)
      .find((method?: string) => method !== undefined && !knownMethod(method));
    if (unknown)
      return fail(response, 404, 'not-found', `There is no method ${unknown}.`);
    if (/missing/.test(body.inputs?.model ?? '')) {
      const message = `model: expected a directory with config.json, got ${body.inputs.model}`;
      return fail(response, 400, 'invalid-input', message, 'model');
    }
    if (noun === 'comparisons') return json(response, lab.compare(body), 202);
    if (noun === 'claims') return json(response, lab.claim(body), 202);
    if (noun === 'artifacts') return json(response, lab.artifact(body), 202);
  }
  const job = lab.jobs.find((candidate) => candidate.id === id);
  const stored = lab.results.get(id ?? '');
  switch (noun) {
    case 'papers':
      return id ? sendPaper(lab, response, id) : json(response, findPapers(url));
    case 'rooms':
      return json(response, roomList);
    case 'methods':
      return answer(
        response,
        id ? methods.find((m) => m.name === id) : { items: methods },
      );
    case 'tasks':
      return answer(response, id ? [task].find((t) => t.name === id) : { items: [task] });
    case 'jobs':
      if (verb === 'events') return stream(lab, response, job);
      return answer(response, id ? job : { items: lab.jobs });
    case 'comparisons':
      return json(response, latest(lab));
    case 'health':
      return json(response, { version: '0.1.0', pid: process.pid, database: 'ready' });
    case 'artifacts':
      if (stored?.kind !== 'artifact')
        return fail(response, 404, 'not-found', 'No such artifact.');
      if (verb === 'files') return json(response, { pretend: file });
      return json(response, {
        id,
        files: stored.result.files,
        recipe: stored.result.recipe,
      });
    case 'results':
      if (verb === 'plot.svg') {
        response.setHeader('content-type', 'image/svg+xml');
        response.end('<svg xmlns="http://www.w3.org/2000/svg"/>');
        return;
      }
      return answer(response, stored);
  }
  fail(response, 404, 'not-found', 'There is nothing at this address.');
}

function findPapers(url: URL): { items: PaperItem[]; next: string | null } {
  const search = url.searchParams;
  const words = (search.get('q') ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  const found = papers.filter((paper) => {
    const text =
      `${paper.title} ${paper.authors.join(' ')} ${paper.summary}`.toLowerCase();
    return (
      words.every((word) => text.includes(word)) &&
      (!search.get('room') || paper.room === search.get('room')) &&
      (!search.get('status') || paper.status === search.get('status'))
    );
  });
  const limit = Number(search.get('limit') ?? 50);
  const start = Number(search.get('cursor') ?? 0);
  const end = start + limit;
  return {
    items: found.slice(start, end),
    next: end < found.length ? String(end) : null,
  };
}

function sendPaper(lab: PretendLab, response: ServerResponse, slug: string): void {
  const paper = papers.find((candidate) => candidate.slug === slug);
  if (!paper) {
    fail(response, 404, 'not-found', `There is no paper ${slug}.`);
    return;
  }
  const runs = paper.status === 'runs';
  const stored = paper.verdict ? lab.results.get(paper.verdict.result) : undefined;
  json(response, {
    ...paper,
    methods: methods.filter((method) => method.paper === slug),
    rivals: runs ? methods.filter((method) => method.paper !== slug) : [],
    experiment: runs ? { statement: paper.claim, seconds: 180, seeds: [0, 1, 2] } : null,
    latest:
      stored?.kind === 'claim'
        ? { ...stored.result, id: stored.id, finishedAt: stored.finishedAt }
        : null,
  });
}

function latest(lab: PretendLab): unknown {
  const comparisons = [...lab.results.values()].filter((r) => r.kind === 'comparison');
  return comparisons.at(-1) ?? null;
}

function stream(lab: PretendLab, response: ServerResponse, job?: JobItem): void {
  if (!job) {
    fail(response, 404, 'not-found', 'No such job.');
    return;
  }
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
  });
  const send = (current: JobItem) => {
    response.write(`event: job\ndata: ${JSON.stringify(current)}\n\n`);
    if (current.finishedAt) response.end();
  };
  lab.events.on(job.id, send);
  response.on('close', () => lab.events.off(job.id, send));
  send(job);
}

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

function sendPage(response: ServerResponse, pathname: string): void {
  const wanted = join(dist, normalize(pathname));
  const found =
    wanted.startsWith(dist) && existsSync(wanted) && statSync(wanted).isFile();
  const path = found ? wanted : join(dist, 'index.html');
  response.setHeader('content-security-policy', "default-src 'self'; style-src 'self'");
  response.setHeader('content-type', types[extname(path)] ?? 'application/octet-stream');
  createReadStream(path).pipe(response);
}

function answer(response: ServerResponse, value: unknown): void {
  if (value === undefined) fail(response, 404, 'not-found', 'There is nothing here.');
  else json(response, value);
}

function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}

function fail(
  response: ServerResponse,
  status: number,
  code: string,
  message: string,
  argument?: string,
): void {
  json(response, { error: { code, message, argument } }, status);
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await startPretendServer({ port: 4173, step: 400 });
  process.stdout.write(`${url}\n`);
}
