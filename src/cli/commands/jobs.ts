/** `assay jobs`: asks the running app, the one owner of the database, about its jobs. */

import { AssayError } from '../../error.ts';
import { homeDirectory } from '../../lab/home.ts';
import type { Job } from '../../lab/job.ts';
import { findOwner } from '../../lab/owner.ts';
import type { CommandSurroundings } from '../command.ts';
import { parseCommand } from '../parse.ts';
import { outputFlags } from '../run-flags.ts';

export async function jobsCommand(
  args: readonly string[],
  { terminal }: CommandSurroundings,
): Promise<number> {
  const values = parseCommand(
    {
      usage: 'assay jobs [cancel ID]',
      summary: 'Lists the jobs of the running app, newest first, or cancels one.',
      positionals: ['cancel', 'ID'],
      required: 0,
      sections: [{ title: 'Options', schema: outputFlags }],
    },
    args,
    terminal,
  );
  if (!values) return 0;
  const { json } = values.of(outputFlags);
  const [action, id] = values.positionals;
  const owner = await findOwner(homeDirectory());
  if (!owner?.url) {
    throw new AssayError(
      'not-found',
      'the app is not running; start it with: assay serve',
    );
  }
  if (action === undefined) {
    const { items } = (await request(`${owner.url}/api/jobs`)) as { items: Job[] };
    terminal.print(json ? JSON.stringify(items) : items.map(line).join('\n'));
    return 0;
  }
  if (action !== 'cancel' || id === undefined) {
    throw new AssayError('invalid-input', 'use: assay jobs, or: assay jobs cancel ID');
  }
  const path = `${owner.url}/api/jobs/${encodeURIComponent(id)}/cancel`;
  const job = (await request(path, { method: 'POST' })) as Job;
  terminal.print(json ? JSON.stringify(job) : line(job));
  return 0;
}

async function request(url: string, init?: RequestInit): Promise<unknown> {
  const response = await fetch(url, init);
  const body = (await response.json()) as { error?: { message: string } };
  if (!response.ok) {
    throw new AssayError('not-found', body.error?.message ?? `HTTP ${response.status}`);
  }
  return body;
}

function line(job: Job): string {
  const { progress } = job;
  const share = progress ? `${Math.floor((100 * progress.done) / progress.total)} %` : '';
  return `${job.id}  ${job.state.padEnd(9)}  ${share.padStart(5)}  ${job.title}`;
}
