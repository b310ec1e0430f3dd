/** The catalog of papers, read from `<room>/<slug>/paper.md` beside the code. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { InvalidFileError } from '../error.ts';
import { type Paper, type PaperEntry, paperSchema, rooms } from '../nouns/paper.ts';
import type { Registry } from '../registry.ts';

/** The directory of the rooms: `src` in a checkout, `dist` in the built package. */
export const roomsDirectory = join(import.meta.dirname, '..');

/**
 * All papers, newest first. A paper `runs` when a method names it.
 *
 * @throws InvalidFileError naming the file and the field that is wrong.
 */
export async function readCatalog(
  registry: Registry,
  directory: string = roomsDirectory,
): Promise<Paper[]> {
  const papers: Paper[] = [];
  for (const room of rooms) {
    const entries = await readdir(join(directory, room), { withFileTypes: true }).catch(
      () => [],
    );
    for (const entry of entries.filter((each) => each.isDirectory())) {
      const file = join(directory, room, entry.name, 'paper.md');
      const text = await readFile(file, 'utf8').catch(() => undefined);
      if (text === undefined) continue;
      const paper = parsePaper(text, file);
      requireEqual(file, 'slug', entry.name, paper.slug);
      requireEqual(file, 'room', room, paper.room);
      const runs = registry.methodsOfPaper(paper.slug).length > 0;
      papers.push({ ...paper, status: runs ? 'runs' : 'spec' });
    }
  }
  return papers.sort(newestFirst);
}

/** Newest first; of one day, by slug. */
export function newestFirst(left: PaperEntry, right: PaperEntry): number {
  if (left.date !== right.date) return left.date < right.date ? 1 : -1;
  return left.slug < right.slug ? -1 : 1;
}

/** Parses front matter, summary and claim. Throws InvalidFileError naming the field. */
export function parsePaper(text: string, file: string): PaperEntry {
  const parts = /^---\r?\n([\s\S]*?)\r?\n---\r?\n([\s\S]*)$/.exec(text);
  if (!parts) {
    const start = JSON.stringify(text.slice(0, 20));
    throw new InvalidFileError(file, 'front matter', 'YAML between two lines ---', start);
  }
  const [summary, claim, ...more] = parts[2]!.split(/^## Claim[ \t]*$/m);
  if (claim === undefined || more.length > 0) {
    throw new InvalidFileError(
      file,
      'claim',
      'one section "## Claim"',
      'none or several',
    );
  }
  const parsed = paperSchema.safeParse({
    ...frontMatter(parts[1]!, file),
    summary: paragraphs(summary!),
    claim: paragraphs(claim),
  });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  const field = issue.path.join('.') || 'front matter';
  throw new InvalidFileError(file, field, 'a valid value', issue.message);
}

function frontMatter(text: string, file: string): object {
  try {
    const value: unknown = parse(text);
    if (typeof value === 'object' && value !== null) return value;
    throw new Error(`a ${typeof value}`);
  } catch (error) {
    const message = (error as Error).message.split('\n')[0]!;
    throw new InvalidFileError(file, 'front matter', 'YAML fields', message);
  }
}

/** Line breaks inside a paragraph are spaces; paragraphs stay apart. */
function paragraphs(text: string): string {
  return text
    .trim()
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.replace(/\s+/g, ' ').trim())
    .join('\n\n');
}

function requireEqual(file: string, field: string, folder: string, found: string): void {
  if (folder !== found) {
    throw new InvalidFileError(file, field, `its folder's name ${folder}`, found);
  }
}
