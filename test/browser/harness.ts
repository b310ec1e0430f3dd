/** What the browser tests share: a server with a fresh home, Chromium, and pages that are watched. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { type StartedServer, startServer } from '../../src/server/start.ts';
import { registry } from './room.ts';

export interface TestServer {
  readonly url: string;
  readonly server: StartedServer;
  close(): Promise<void>;
}

/** A server on a free port whose home is deleted when it closes. */
export async function startTestServer(
  options: Parameters<typeof startServer>[0] = {
    registry,
    registryUrl: new URL('./room.ts', import.meta.url),
  },
): Promise<TestServer> {
  const home = await mkdtemp(join(tmpdir(), 'assay-browser-'));
  const server = await startServer({ port: 0, home, databaseUrl: '', ...options });
  // Jobs wait for the database; on a busy machine it takes its time to open.
  await server.lab.jobs();
  return {
    url: server.url,
    server,
    async close() {
      await server.close();
      await rm(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

export interface WatchedPage {
  readonly page: Page;
  /** Errors of the console and of scripts, and requests to elsewhere; each test ends with none. */
  readonly complaints: string[];
  close(): Promise<void>;
}

export interface View {
  readonly scheme?: 'light' | 'dark';
  readonly width?: number;
  readonly height?: number;
}

/** A page in a context of its own that writes down everything that goes wrong on it. */
export async function openPage(
  browser: Browser,
  url: string,
  view: View = {},
): Promise<WatchedPage> {
  const { scheme = 'light', width = 1280, height = 860 } = view;
  const context = await browser.newContext({
    baseURL: url,
    colorScheme: scheme,
    viewport: { width, height },
  });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') {
      complaints.push(`${page.url()}: ${message.text()} ${message.location().url}`);
    }
  });
  page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.message}`));
  page.on('request', (request) => {
    const target = new URL(request.url());
    if (target.origin !== url) complaints.push(`request to ${target.origin}`);
  });
  return { page, complaints, close: () => context.close() };
}
