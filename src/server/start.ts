/** Starts the app: owner of the home, lab, feed and an HTTP server on loopback. */

import type { Server } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createAdaptorServer } from '@hono/node-server';
import { AssayError } from '../error.ts';
import { readCatalog } from '../feed/catalog.ts';
import { createFeed } from '../feed/feed.ts';
import { homeDirectory } from '../lab/home.ts';
import { type Lab, openLab } from '../lab/lab.ts';
import { findOwner, OwnedError } from '../lab/owner.ts';
import { registry as everything, type Registry } from '../registry.ts';
import { type AssayServer, createServer } from './app.ts';

export interface StartOptions {
  /** 0 takes any free port. */
  readonly port?: number | undefined;
  readonly host?: string | undefined;
  readonly home?: string | undefined;
  readonly databaseUrl?: string | undefined;
  readonly webDirectory?: string | undefined;
  /** Absent: everything that ships. */
  readonly registry?: Registry | undefined;
  readonly registryUrl?: URL | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

export interface StartedServer {
  readonly url: string;
  readonly lab: Lab;
  close(): Promise<void>;
}

export const defaultPort = 8473;

/** `web/dist` of the project, from `src/server` and from the built `dist/server`. */
const builtWeb = join(import.meta.dirname, '..', '..', 'web', 'dist');

/**
 * Starts serving. Pages are answered at once; the database opens in the background.
 *
 * @throws OwnedError when another process owns the home; AssayError `environment`, in one
 * line, for a port that is taken, an address that is not ours or a home that cannot be written.
 */
export async function startServer(options: StartOptions = {}): Promise<StartedServer> {
  const { port = defaultPort, host = '127.0.0.1', registry = everything } = options;
  const log = options.log ?? (() => {});
  const home = options.home ?? homeDirectory();
  let current: AssayServer | undefined;
  const http = createAdaptorServer({
    fetch: (request: Request, bindings: object) =>
      current
        ? current.app.fetch(request, bindings)
        : new Response('Assay is starting.\n', {
            status: 503,
            headers: { 'retry-after': '1' },
          }),
  }) as Server;
  await listen(http, port, host, home);
  let lab: Lab;
  try {
    lab = await openLab({ ...options, registry, home, log });
  } catch (error) {
    await closeHttp(http);
    throw error;
  }
  try {
    const feed = createFeed(await readCatalog(registry), lab);
    const ownNames = namesOf(host);
    const webDirectory = options.webDirectory ?? builtWeb;
    current = createServer({ lab, feed, webDirectory, ownNames, log });
    const url = addressOf(http, host);
    await lab.announce(url);
    const { endStreams } = current;
    return {
      url,
      lab,
      async close() {
        endStreams();
        await closeHttp(http);
        await lab.close();
      },
    };
  } catch (error) {
    await closeHttp(http);
    await lab.close();
    throw error;
  }
}

function listen(http: Server, port: number, host: string, home: string): Promise<void> {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new AssayError('invalid-input', `port: expected 0 to 65535, got ${port}`);
  }
  return new Promise((resolve, reject) => {
    http.once('error', (error: NodeJS.ErrnoException) => {
      listenError(error, port, host, home).then(reject, reject);
    });
    http.listen(port, host, () => resolve());
  });
}

async function listenError(
  error: NodeJS.ErrnoException,
  port: number,
  host: string,
  home: string,
): Promise<Error> {
  switch (error.code) {
    case 'EADDRINUSE': {
      const owner = await findOwner(home);
      if (owner) return new OwnedError(home, owner.pid, owner.url);
      return failure(`port ${port} is taken: choose another with --port`);
    }
    case 'EACCES':
      return failure(
        `port ${port} is reserved for the system: choose one above 1023 with --port`,
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return failure(`${host} is no address of this machine: choose another with --host`);
    default:
      return failure(`cannot listen on ${host} port ${port}: ${error.message}`);
  }
}

function failure(message: string): AssayError {
  return new AssayError('environment', message);
}

/** Names besides `localhost` under which others may ask for this machine. */
function namesOf(host: string): string[] {
  if (isIP(host) === 0) return [host];
  return isLoopback(host) ? [] : [hostname(), `${hostname()}.local`];
}

function isLoopback(host: string): boolean {
  return host === '::1' || host.startsWith('127.');
}

function addressOf(http: Server, host: string): string {
  const address = http.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const everywhere = host === '0.0.0.0' || host === '::';
  const name = everywhere ? 'localhost' : isIP(host) === 6 ? `[${host}]` : host;
  return `http://${name}:${port}`;
}

function closeHttp(http: Server): Promise<void> {
  return new Promise((resolve) => {
    http.close(() => resolve());
    http.closeAllConnections();
  });
}
