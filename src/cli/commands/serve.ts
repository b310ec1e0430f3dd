/** `assay serve`: the app, until it is told to stop. */

import { spawn } from 'node:child_process';
import { z } from 'zod';
import { homeDirectory } from '../../lab/home.ts';
import { defaultPort, startServer } from '../../server/start.ts';
import type { CommandSurroundings } from '../command.ts';
import { parseCommand } from '../parse.ts';

const flags = z.object({
  port: z
    .int()
    .min(0)
    .max(65535)
    .default(defaultPort)
    .describe('Port to listen on; 0 for any free one'),
  host: z
    .string()
    .default('127.0.0.1')
    .describe('Address to listen on; anything but loopback is open to the network'),
  open: z.boolean().default(true).describe('Open the browser (--no-open: do not)'),
  help: z.boolean().default(false).describe('Show this help'),
});

export async function serve(
  args: readonly string[],
  { terminal, signal }: CommandSurroundings,
): Promise<number> {
  const values = parseCommand(
    {
      usage: 'assay serve',
      summary: 'Starts the app with its embedded database and prints its address.',
      positionals: [],
      required: 0,
      sections: [{ title: 'Options', schema: flags }],
    },
    args,
    terminal,
  );
  if (!values) return 0;
  const { port, host, open } = values.of(flags);
  const started = performance.now();
  const log = (line: string) => terminal.log(line);
  const server = await startServer({ port, host, home: homeDirectory(), log });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  terminal.print(`Assay is ready at ${server.url} (${seconds} s)`);
  server.lab.ensureFirstComparison().catch((error: Error) => log(error.message));
  if (open && process.stdout.isTTY) openBrowser(server.url);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await server.close();
  return 0;
}

function openBrowser(url: string): void {
  const command =
    process.platform === 'darwin'
      ? 'open'
      : process.platform === 'win32'
        ? 'explorer'
        : 'xdg-open';
  const child = spawn(command, [url], { stdio: 'ignore', detached: true });
  // A machine without a desktop simply opens nothing.
  child.on('error', () => {});
  child.unref();
}
