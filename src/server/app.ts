/** The HTTP application: the API and the front end over a lab and a feed. */

import { join } from 'node:path';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { AssayError, InvalidInputError } from '../error.ts';
import type { Feed } from '../feed/feed.ts';
import { assayVersion } from '../lab/environment.ts';
import type { Lab } from '../lab/lab.ts';
import { comparisonSvg } from '../lab/plot.ts';
import type { StoredArtifact, StoredComparison } from '../lab/results.ts';
import { errorBody, parseWith, RefusedError } from './errors.ts';
import { jobEvents } from './events.ts';
import { openApiDocument } from './openapi.ts';
import * as schema from './schema.ts';
import { checkHost, checkOrigin, securityHeaders, svgPolicy } from './security.ts';
import { fileResponse, staticResponse } from './static-files.ts';
import { methodInfo, paperDetail, paperItem, storedResult, taskInfo } from './views.ts';

export interface ServerOptions {
  readonly lab: Lab;
  readonly feed: Feed;
  /** The built front end. */
  readonly webDirectory: string;
  /** Names besides `localhost` under which this machine is asked. */
  readonly ownNames?: readonly string[];
  readonly log?: (line: string) => void;
}

export interface AssayServer {
  readonly app: Hono;
  /** Ends the event streams, which otherwise stay open. */
  endStreams(): void;
}

const maximumBodyBytes = 1024 * 1024;

export function createServer(options: ServerOptions): AssayServer {
  const app = new Hono();
  const streams = new AbortController();
  app.use(securityHeaders());
  app.use(checkHost(options.ownNames ?? []));
  app.use(checkOrigin());
  app.use(
    bodyLimit({
      maxSize: maximumBodyBytes,
      onError: async (context) => {
        await discard(context.req.raw.body);
        throw new RefusedError('too-large', 'the request is larger than 1 MB');
      },
    }),
  );
  app.onError((error, context) => {
    const { body, status } = errorBody(error);
    if (body.error.code === 'internal') options.log?.(error.stack ?? error.message);
    return context.json(body, status);
  });
  addCatalog(app, options);
  addJobs(app, options, streams.signal);
  addResults(app, options);
  addPages(app, options);
  return { app, endStreams: () => streams.abort() };
}

function addCatalog(app: Hono, { lab, feed }: ServerOptions): void {
  const { registry } = lab;
  app.get('/api/papers', async (context) => {
    const query = parseWith(schema.paperQuerySchema, context.req.query());
    const { items, next } = await feed.list(query);
    return context.json({ items: items.map(paperItem), next });
  });
  app.get('/api/papers/:slug', async (context) =>
    context.json(paperDetail(await feed.get(context.req.param('slug')))),
  );
  app.get('/api/rooms', (context) => context.json({ items: feed.rooms() }));
  app.get('/api/methods', (context) =>
    context.json({ items: registry.methods.map(methodInfo) }),
  );
  app.get('/api/methods/:name', (context) =>
    context.json(methodInfo(registry.method(context.req.param('name')))),
  );
  app.get('/api/tasks', (context) =>
    context.json({ items: registry.tasks.map((task) => taskInfo(registry, task)) }),
  );
  app.get('/api/tasks/:name', (context) =>
    context.json(taskInfo(registry, registry.task(context.req.param('name')))),
  );
  app.get('/api/health', (context) =>
    context.json({
      version: assayVersion(),
      pid: process.pid,
      database: lab.databaseState,
    }),
  );
  const document = openApiDocument(assayVersion());
  app.get('/openapi.json', (context) => context.json(document));
}

function addJobs(app: Hono, { lab }: ServerOptions, streams: AbortSignal): void {
  app.post('/api/comparisons', async (context) => {
    const request = parseWith(
      schema.comparisonRequestSchema,
      await jsonBody(context.req),
    );
    return context.json(await lab.submit({ kind: 'comparison', request }), 202);
  });
  app.post('/api/claims', async (context) => {
    const request = parseWith(schema.claimRequestSchema, await jsonBody(context.req));
    return context.json(await lab.submit({ kind: 'claim', request }), 202);
  });
  app.post('/api/artifacts', async (context) => {
    const request = parseWith(schema.artifactRequestSchema, await jsonBody(context.req));
    return context.json(await lab.submit({ kind: 'artifact', request }), 202);
  });
  app.get('/api/jobs', async (context) =>
    context.json({ items: (await lab.jobs()).list() }),
  );
  app.get('/api/jobs/:id', async (context) =>
    context.json((await lab.jobs()).get(context.req.param('id'))),
  );
  app.post('/api/jobs/:id/cancel', async (context) =>
    context.json(await (await lab.jobs()).cancel(context.req.param('id'))),
  );
  app.get('/api/jobs/:id/events', async (context) =>
    jobEvents(await lab.jobs(), context.req.param('id'), streams),
  );
}

function addResults(app: Hono, { lab }: ServerOptions): void {
  const comparison = async (id: string): Promise<StoredComparison> => {
    const stored = await lab.results.read(id);
    if (stored.kind === 'comparison') return stored;
    throw new AssayError('not-found', `result ${id} is no comparison`);
  };
  const artifact = async (id: string): Promise<StoredArtifact> => {
    const stored = await lab.results.read(id);
    if (stored.kind === 'artifact') return stored;
    throw new AssayError('not-found', `result ${id} is no artifact`);
  };
  app.get('/api/comparisons/latest', async (context) => {
    const { task } = parseWith(schema.latestQuerySchema, context.req.query());
    const entry = lab.results.latest({ kind: 'comparison', task });
    return context.json(entry ? storedResult(await comparison(entry.id)) : null);
  });
  app.get('/api/results', (context) => {
    const filter = parseWith(schema.resultQuerySchema, context.req.query());
    return context.json({ items: lab.results.list(filter) });
  });
  app.get('/api/results/:id', async (context) =>
    context.json(storedResult(await lab.results.read(context.req.param('id')))),
  );
  app.get('/api/results/:id/plot.svg', async (context) => {
    const { result } = await comparison(context.req.param('id'));
    const svg = comparisonSvg(lab.registry.task(result.task), result.rows);
    return context.body(svg, 200, {
      'content-type': 'image/svg+xml; charset=utf-8',
      'content-security-policy': svgPolicy,
      'cache-control': 'no-cache',
    });
  });
  app.get('/api/artifacts/:id', async (context) => {
    const { id, result } = await artifact(context.req.param('id'));
    return context.json({ id, files: result.files, recipe: result.recipe });
  });
  app.get('/api/artifacts/:id/files/:name{.+}', async (context) => {
    const { result } = await artifact(context.req.param('id'));
    const name = context.req.param('name');
    // The name only picks from the list of what was written; it never becomes a path itself.
    const file = result.files.find((each) => each.name === name);
    if (!file) throw new AssayError('not-found', `the artifact has no file "${name}"`);
    const path = join(lab.home, 'artifacts', result.directory, file.name);
    const shown = file.name.split('/').at(-1)!;
    return fileResponse(path, {
      'content-type': 'application/octet-stream',
      'content-disposition': contentDisposition(shown),
      'content-security-policy': "default-src 'none'; sandbox",
      'cache-control': 'no-cache',
    }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      throw new AssayError('not-found', `${shown} was deleted: apply the method again`);
    });
  });
}

function addPages(app: Hono, { webDirectory }: ServerOptions): void {
  app.all('/api/*', (context) => {
    const { method, path } = context.req;
    throw new AssayError('not-found', `the API has no ${method} ${path}`);
  });
  app.get('*', async (context) => {
    const found = await staticResponse(webDirectory, context.req.path);
    if (found) return found;
    throw new AssayError('not-found', `there is no ${context.req.path}`);
  });
  app.notFound((context) => {
    const { body, status } = errorBody(
      new AssayError(
        'not-found',
        `there is no ${context.req.method} ${context.req.path}`,
      ),
    );
    return context.json(body, status);
  });
}

/** Reads on for a while, so that the sender gets to the answer and not to a closed connection. */
async function discard(body: ReadableStream<Uint8Array> | null): Promise<void> {
  if (!body || body.locked) return;
  let left = 16 * maximumBodyBytes;
  for await (const chunk of body) {
    left -= chunk.length;
    if (left < 0) return;
  }
}

interface JsonRequest {
  header(name: string): string | undefined;
  json(): Promise<unknown>;
}

/** A form of another site can send text but, without being asked first, no JSON. */
async function jsonBody(request: JsonRequest): Promise<unknown> {
  const type = request.header('content-type') ?? 'none';
  if (type.split(';')[0]!.trim().toLowerCase() !== 'application/json') {
    throw new InvalidInputError('content-type', 'application/json', type);
  }
  try {
    return await request.json();
  } catch (error) {
    if (error instanceof RefusedError) throw error;
    throw new InvalidInputError('body', 'valid JSON', (error as Error).message);
  }
}

function contentDisposition(name: string): string {
  const plain = name.replaceAll(/[^\w.-]/g, '_');
  return `attachment; filename="${plain}"; filename*=UTF-8''${encodeURIComponent(name)}`;
}
