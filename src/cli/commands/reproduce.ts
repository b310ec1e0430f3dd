/** `assay reproduce PAPER`: the claim of a paper, run over seeds and judged. */

import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { InvalidInputError } from '../../error.ts';
import { execute } from '../../lab/execute.ts';
import { homeDirectory } from '../../lab/home.ts';
import { readResult, type StoredClaim } from '../../lab/results.ts';
import { claimTable } from '../../lab/table.ts';
import { registry } from '../../registry.ts';
import type { CommandSurroundings } from '../command.ts';
import { parseCommand } from '../parse.ts';
import { runFlags } from '../run-flags.ts';
import { duration } from '../terminal.ts';

const reproduceFlags = z.object({
  full: z.boolean().default(false).describe('The larger run'),
  seeds: z
    .array(z.string())
    .default([])
    .describe("Seeds to run, as 0,1,2; the claim's own when left out"),
});

const { threads, json, help } = runFlags.shape;
const runningFlags = z.object({ threads, json, help });

/** The exit code is 0 whether or not the claim holds. */
export async function reproduceCommand(
  args: readonly string[],
  { terminal, signal }: CommandSurroundings,
): Promise<number> {
  const runnable = registry.claims.map((claim) => claim.paper).join(', ');
  const values = parseCommand(
    {
      usage: 'assay reproduce PAPER',
      summary: `Runs what a paper claims and says whether it holds here. Runs today: ${runnable}.`,
      positionals: ['PAPER'],
      required: 1,
      sections: [
        { title: 'Experiment', schema: reproduceFlags },
        { title: 'Run', schema: runningFlags },
      ],
    },
    args,
    terminal,
  );
  if (!values) return 0;
  const paper = values.positionals[0]!;
  const run = values.of(runningFlags);
  const { full, seeds } = values.of(reproduceFlags);
  const claim = registry.claim(paper);
  if (!run.json) terminal.print(`${claim.statement}\n`);
  const executed = await execute({
    registry,
    home: homeDirectory(),
    job: randomUUID(),
    work: {
      kind: 'claim',
      request: {
        paper,
        full,
        seeds: seeds.length > 0 ? seeds.map(readSeed) : undefined,
      },
    },
    threads: run.threads,
    signal,
    progress: (update) => terminal.progress(update),
    row: () => {},
  });
  const { result, id } = (await readResult(
    homeDirectory(),
    executed.result,
  )) as StoredClaim;
  if (run.json) {
    terminal.print(JSON.stringify(result));
    return 0;
  }
  terminal.print(claimTable(result));
  terminal.print(`It took ${duration(result.seconds)}.`);
  terminal.log(`stored as ${id}`);
  return 0;
}

function readSeed(text: string): number {
  const seed = Number(text);
  if (Number.isInteger(seed) && seed >= 0 && text.trim() !== '') return seed;
  throw new InvalidInputError('--seeds', 'whole numbers such as 0,1,2', `"${text}"`);
}
