/** Tests of starting and stopping: every reason not to start is one line that says what to do. */

import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { registry } from '../../test/rooms/guess.ts';
import { addDatabase, temporaryHome } from '../../test/rooms/home.ts';
import { startServer } from './start.ts';

// Opening the embedded database takes long on a busy machine.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const common = { registry, databaseUrl: '', port: 0 };

async function rejection(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  const error: unknown = await promise.then(
    () => new Error('it started'),
    (reason: unknown) => reason,
  );
  return error as Error & { code?: string };
}

describe('starting', () => {
  it('says in one line why it cannot', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    const home = await addDatabase(await temporaryHome());
    const taken = await rejection(startServer({ ...common, home, port }));
    expect(taken).toMatchObject({ code: 'environment' });
    expect(taken.message).toBe(`port ${port} is taken: choose another with --port`);
    const host = await rejection(startServer({ ...common, home, host: '203.0.113.7' }));
    expect(host.message).toContain('--host');
    const file = join(fileURLToPath(import.meta.url), 'home');
    const unwritable = await rejection(startServer({ ...common, home: file }));
    expect(unwritable).toMatchObject({ code: 'environment' });
    expect(unwritable.message).toContain('ASSAY_HOME');
    for (const error of [taken, host, unwritable])
      expect(error.message).not.toContain('\n');
    await expect(startServer({ ...common, home, port: 70_000 })).rejects.toThrow(/port/);
  });

  it('answers pages before the database is open and names itself to a second start', async () => {
    const home = await addDatabase(await temporaryHome());
    const server = await startServer({ ...common, home });
    onTestFinished(() => server.close());
    expect(new URL(server.url).hostname).toBe('127.0.0.1');
    const health = (await (await fetch(`${server.url}/api/health`)).json()) as object;
    expect(health).toMatchObject({ database: 'opening', pid: process.pid });
    expect((await fetch(`${server.url}/api/papers?q=quantization`)).status).toBe(200);
    const second = await rejection(startServer({ ...common, home }));
    expect(second).toMatchObject({ code: 'busy', pid: process.pid, url: server.url });
    const port = Number(new URL(server.url).port);
    const same = await rejection(startServer({ ...common, home, port }));
    expect(same).toMatchObject({ code: 'busy', url: server.url });
    await server.close();
    const again = await startServer({ ...common, home });
    await again.close();
  });

  it('says that the pages are not built when they are not', async () => {
    const home = await addDatabase(await temporaryHome());
    const webDirectory = join(home, 'nothing');
    const server = await startServer({ ...common, home, webDirectory });
    onTestFinished(() => server.close());
    const response = await fetch(server.url);
    expect(response.status).toBe(503);
    expect(await response.text()).toContain('npm start');
  });

  it('refuses a second process within a second', async () => {
    const home = await addDatabase(await temporaryHome());
    const server = await startServer({ ...common, home });
    onTestFinished(() => server.close());
    const script = fileURLToPath(new URL('../../test/rooms/serve.ts', import.meta.url));
    const child = spawn(process.execPath, [script, home], { stdio: 'pipe' });
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    await new Promise((resolve) => child.once('close', resolve));
    expect(errors).toContain(`in use by process ${process.pid} and serves ${server.url}`);
  });
});
