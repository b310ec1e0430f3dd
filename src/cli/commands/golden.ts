/** `assay golden DIR`: holds the methods to every golden file of a directory. */

import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidInputError } from '../../error.ts';
import { readCatalog } from '../../feed/catalog.ts';
import {
  type GoldenAdapter,
  type GoldenCase,
  goldenMismatches,
  parseGolden,
} from '../../lab/golden.ts';
import { moduleUrl } from '../../lab/module-url.ts';
import { registry } from '../../registry.ts';
import type { CommandSurroundings } from '../command.ts';
import { parseCommand } from '../parse.ts';
import { outputFlags } from '../run-flags.ts';

/** Ends with one line `N passed, N failed, N skipped`; skipped are papers not yet built. */
export async function goldenCommand(
  args: readonly string[],
  { terminal }: CommandSurroundings,
): Promise<number> {
  const values = parseCommand(
    {
      usage: 'assay golden DIR',
      summary: 'Compares our outputs with expected ones, for every .json file of DIR.',
      positionals: ['DIR'],
      required: 1,
      sections: [{ title: 'Options', schema: outputFlags }],
    },
    args,
    terminal,
  );
  if (!values) return 0;
  const directory = values.positionals[0]!;
  const names = await readdir(directory).catch(() => {
    throw new InvalidInputError('DIR', 'a directory of golden files', directory);
  });
  const rooms = new Map(
    (await readCatalog(registry)).map(({ slug, room }) => [slug, room]),
  );
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const name of names.filter((each) => each.endsWith('.json')).sort()) {
    const file = join(directory, name);
    const golden = parseGolden(await readFile(file, 'utf8'), file);
    const adapter = await adapterOf(golden.slug, rooms.get(golden.slug));
    if (!adapter) {
      counts.skipped += golden.cases.length;
      continue;
    }
    for (const item of golden.cases) {
      const faults = await faultsOf(adapter, item);
      counts[faults.length === 0 ? 'passed' : 'failed']++;
      const verdict =
        faults.length === 0 ? 'ok' : `FAILED: ${faults.slice(0, 3).join('; ')}`;
      terminal.log(`${golden.slug} ${item.name}: ${verdict}`);
    }
  }
  terminal.print(
    values.of(outputFlags).json
      ? JSON.stringify(counts)
      : `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`,
  );
  return counts.failed > 0 ? 1 : 0;
}

async function adapterOf(
  slug: string,
  room: string | undefined,
): Promise<GoldenAdapter | null> {
  if (room === undefined) return null;
  const url = moduleUrl(`../../${room}/${slug}/golden`, import.meta.url);
  if (!existsSync(url)) return null;
  return ((await import(url.href)) as { golden: GoldenAdapter }).golden;
}

async function faultsOf(adapter: GoldenAdapter, item: GoldenCase): Promise<string[]> {
  try {
    return goldenMismatches(await adapter(item.name, item.inputs), item);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}
