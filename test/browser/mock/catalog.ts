/** The papers and rooms the pretend server offers, read from the catalog's own files. */

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { rooms } from '../../../src/nouns/paper.ts';
import type { PaperItem, RoomList } from '../../../src/server/schema.ts';

const source = fileURLToPath(new URL('../../../src/', import.meta.url));
const running = new Set(['awq', 'integer-quantization']);

/** Every paper, newest first. */
export const papers: PaperItem[] = globSync('*/*/paper.md', { cwd: source })
  .map((file) => readPaper(readFileSync(join(source, file), 'utf8')))
  .sort((a, b) => b.date.localeCompare(a.date) || a.slug.localeCompare(b.slug));

function readPaper(text: string): PaperItem {
  const [, front = '', body = ''] = text.split(/^---$/m);
  const [summary = '', claim = ''] = body.split('## Claim').map((part) => part.trim());
  const fields = parse(front) as Omit<PaperItem, 'summary' | 'claim'>;
  return {
    ...fields,
    venue: fields.venue ?? null,
    code: fields.code ?? null,
    summary,
    claim,
    status: running.has(fields.slug) ? 'runs' : 'spec',
    verdict: null,
  };
}

const summaries: Record<(typeof rooms)[number], [title: string, summary: string]> = {
  quantize: ['Quantize', 'Store a model in fewer bits and keep what it can do.'],
  prune: ['Prune', 'Remove weights that a model can do without.'],
  tune: ['Tune', 'Adapt a model to your data while training few parameters.'],
  merge: ['Merge', 'Combine trained models into one without training again.'],
  select: ['Select', 'Choose the part of your data that is worth training on.'],
  value: ['Value', 'Say what each row of your data is worth.'],
  search: ['Search', 'Find the nearest vectors and the right passages, fast.'],
  embed: ['Embed', 'Turn texts, images and categories into compact vectors.'],
  label: ['Label', 'Learn from few labels and much unlabelled data.'],
  shift: ['Shift', 'Keep a model good when its data change.'],
  continual: ['Continual', 'Learn new things without forgetting old ones.'],
  federate: ['Federate', 'Train across machines that may not share their data.'],
  predict: ['Predict', 'Predict from tables, with reasons.'],
  architect: ['Architect', 'Find a network shape that fits your budget.'],
};

export const roomList: RoomList = {
  items: rooms.map((room) => {
    const inside = papers.filter((paper) => paper.room === room);
    return {
      room,
      title: summaries[room][0],
      summary: summaries[room][1],
      papers: inside.length,
      runs: inside.filter((paper) => paper.status === 'runs').length,
    };
  }),
};
