/** `assay papers`: the catalog. */

import { z } from 'zod';
import { readCatalog } from '../../feed/catalog.ts';
import { type Paper, rooms } from '../../nouns/paper.ts';
import { registry } from '../../registry.ts';
import type { CommandSurroundings } from '../command.ts';
import { parseCommand } from '../parse.ts';
import { outputFlags } from '../run-flags.ts';

const flags = z.object({
  room: z
    .enum(['all', ...rooms])
    .default('all')
    .describe('Only papers of this room'),
  status: z
    .enum(['all', 'runs', 'spec'])
    .default('all')
    .describe('Only those that run here'),
  search: z.string().default('').describe('Words of the title, authors or summary'),
  ...outputFlags.shape,
});

export async function papersCommand(
  args: readonly string[],
  { terminal }: CommandSurroundings,
): Promise<number> {
  const values = parseCommand(
    {
      usage: 'assay papers [SLUG]',
      summary:
        'Lists the papers of the catalog, newest first; with a slug, describes that one.',
      positionals: ['SLUG'],
      required: 0,
      sections: [{ title: 'Options', schema: flags }],
    },
    args,
    terminal,
  );
  if (!values) return 0;
  const { room, status, search, json } = values.of(flags);
  const [slug] = values.positionals;
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const papers = (await readCatalog(registry))
    .filter((paper) => slug === undefined || paper.slug === slug)
    .filter((paper) => room === 'all' || paper.room === room)
    .filter((paper) => status === 'all' || paper.status === status)
    .filter((paper) => words.every((word) => searchText(paper).includes(word)));
  if (slug !== undefined && papers.length === 0) {
    terminal.log(`assay: no paper "${slug}" here; see: assay papers`);
    return 1;
  }
  if (json) terminal.print(JSON.stringify(slug === undefined ? papers : papers[0]));
  else if (slug !== undefined) terminal.print(describe(papers[0]!));
  else terminal.print(papers.map(line).join('\n'));
  return 0;
}

function searchText({ title, authors, summary }: Paper): string {
  return [title, ...authors, summary].join(' ').toLowerCase();
}

function line({ date, slug, room, status, title }: Paper): string {
  return `${date}  ${slug.padEnd(30)}  ${room.padEnd(9)}  ${status}  ${title}`;
}

function describe(paper: Paper): string {
  const source = [paper.date, paper.venue, `arXiv ${paper.arxiv}`, paper.code];
  const next =
    paper.status === 'runs'
      ? `Runs here: assay reproduce ${paper.slug}`
      : 'Described, not built yet.';
  return [
    paper.title,
    paper.authors.join(', '),
    source.filter(Boolean).join(' · '),
    `\n${paper.summary}`,
    `\nClaim: ${paper.claim}`,
    `\n${next}`,
  ].join('\n');
}
