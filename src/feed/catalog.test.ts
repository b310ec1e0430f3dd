/** Tests of reading the catalog: the shipped papers, and every way a paper file can be wrong. */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { registry } from '../../test/rooms/guess.ts';
import { temporaryHome } from '../../test/rooms/home.ts';
import { InvalidFileError } from '../error.ts';
import { rooms } from '../nouns/paper.ts';
import { parsePaper, readCatalog } from './catalog.ts';

const text = `---
slug: shift-paper
title: "Shifting: Letters"
authors:
  - Ada Smith
date: 2024-05-01
arxiv: "2405.00001"
room: predict
---

Letters are
moved.

More of it.

## Claim

It makes an error.
`;

describe('the catalog', () => {
  it('ships 73 papers of all rooms, newest first', async () => {
    const papers = await readCatalog(registry);
    expect(papers).toHaveLength(73);
    expect(new Set(papers.map((paper) => paper.room))).toEqual(new Set(rooms));
    const dates = papers.map((paper) => paper.date);
    expect(dates).toEqual([...dates].sort().reverse());
    expect(new Set(papers.map((paper) => paper.slug)).size).toBe(73);
  });

  it('says of a paper that it runs when a method names it', async () => {
    const directory = await temporaryHome();
    const folder = (slug: string) => join(directory, 'predict', slug);
    await mkdir(folder('shift-paper'), { recursive: true });
    await mkdir(folder('empty'));
    await writeFile(join(folder('shift-paper'), 'paper.md'), text);
    const [paper, ...others] = await readCatalog(registry, directory);
    expect(others).toEqual([]);
    expect(paper).toMatchObject({
      status: 'runs',
      title: 'Shifting: Letters',
      date: '2024-05-01',
      summary: 'Letters are moved.\n\nMore of it.',
      claim: 'It makes an error.',
    });
    await mkdir(folder('other'));
    await writeFile(join(folder('other'), 'paper.md'), text);
    await expect(readCatalog(registry, directory)).rejects.toThrow(
      /slug: expected its folder's name other, got shift-paper/,
    );
  });

  it('names the file and the field that is wrong', () => {
    const broken: [string, string, string][] = [
      ['---\nslug', 'slug', 'front matter'],
      ['## Claim', '## Clam', 'claim'],
      ['date: 2024-05-01', 'date: 2024-13-01', 'date'],
      ['authors:\n  - Ada Smith', 'authors: []', 'authors'],
      ['room: predict', 'room: cellar', 'room'],
      ['room: predict', 'room: predict\nextra: 1', 'front matter'],
      ['"2405.00001"', '2405', 'arxiv'],
      ['"Shifting: Letters"', '"Shifting', 'front matter'],
      ['It makes an error.', '', 'claim'],
    ];
    for (const [from, to, field] of broken) {
      let caught: unknown;
      try {
        parsePaper(text.replace(from, to), 'paper.md');
      } catch (error) {
        caught = error;
      }
      expect(caught, `${from} -> ${to}`).toBeInstanceOf(InvalidFileError);
      expect((caught as InvalidFileError).field).toBe(field);
      expect((caught as Error).message).toContain('paper.md');
    }
  });
});
