/** Tests of the feed: paging, filters, verdicts, and search in memory and in the database. */

import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { registry } from '../../test/rooms/guess.ts';
import { addDatabase, temporaryHome } from '../../test/rooms/home.ts';
import { papers } from '../../test/rooms/papers.ts';
import { isFinished } from '../lab/job.ts';
import { openLab } from '../lab/lab.ts';
import { createFeed, type FeedQuery } from './feed.ts';
import { searchInMemory } from './memory-search.ts';
import { searchPapers, storePapers } from './paper-table.ts';

// Opening the embedded database takes long on a busy machine.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

async function open() {
  const lab = await openLab({
    home: await addDatabase(await temporaryHome()),
    registry,
    registryUrl: new URL('../../test/rooms/guess.ts', import.meta.url),
    databaseUrl: '',
  });
  onTestFinished(() => lab.close());
  return { lab, feed: createFeed(papers, lab) };
}

describe('search in memory', () => {
  it('wants every word, as the start of a word, and prefers titles', () => {
    expect(searchInMemory(papers, 'quant')).toEqual(['weights', 'rounding']);
    expect(searchInMemory(papers, 'smith')).toEqual(['shift-paper', 'rounding']);
    expect(searchInMemory(papers, 'MÜLL letters')).toEqual(['shift-paper']);
    expect(searchInMemory(papers, 'quant nothing')).toEqual([]);
    expect(searchInMemory(papers, ' - ')).toEqual([]);
  });
});

describe('the feed', () => {
  it('serves pages, filters and searches, before and after the database is open', async () => {
    const { lab, feed } = await open();
    expect(lab.databaseState).toBe('opening');
    const slugs = async (query: Partial<FeedQuery>) =>
      (await feed.list({ limit: 50, ...query })).items.map((paper) => paper.slug);
    expect(await slugs({})).toEqual(['shift-paper', 'weights', 'rounding']);
    expect(await slugs({ q: 'roundi' })).toEqual(['rounding', 'weights']);
    expect(lab.databaseState).toBe('opening');
    expect(await slugs({ room: 'quantize' })).toEqual(['weights', 'rounding']);
    expect(await slugs({ status: 'runs' })).toEqual(['shift-paper']);
    const first = await feed.list({ limit: 2 });
    expect(first.items).toHaveLength(2);
    expect(await slugs({ limit: 2, cursor: first.next! })).toEqual(['rounding']);
    await expect(feed.list({ limit: 2, cursor: 'xyz' })).rejects.toThrow(/^cursor/);
    await expect(feed.get('nothing')).rejects.toMatchObject({ code: 'not-found' });

    const database = await lab.database();
    await lab.jobs();
    await storePapers(database, papers);
    await storePapers(database, papers);
    const search = (query: string) => searchPapers(database, query);
    expect(await search('quantization')).toEqual(['weights', 'rounding']);
    expect(await search('quantizing')).toEqual(['weights', 'rounding']);
    expect(await search('activat')).toEqual(['weights', 'rounding']);
    expect(await search('Smith')).toEqual(['shift-paper', 'rounding']);
    expect(await search('smith letters')).toEqual(['shift-paper']);
    expect(await search('rounding -channels')).toEqual(['rounding']);
    expect(await search('"salient channels"')).toEqual(['weights']);
    expect(await search('letters or integers')).toEqual(['shift-paper', 'rounding']);
    expect(await search('müll')).toEqual(['shift-paper']);
    expect(await search('nothing')).toEqual([]);
    for (const odd of ["'", '"', ':*', '\\', '-', "a'b:*&|!", 'the', '((', '\u0000x']) {
      await search(odd).catch((error: Error) => {
        expect(odd).toBe('\u0000x');
        expect(error.message).toContain('0x00');
      });
    }
    expect(await slugs({ q: 'smith', limit: 1 })).toEqual(['shift-paper']);
    const ranked = await feed.list({ q: 'rounding', limit: 1 });
    expect(await slugs({ q: 'rounding', cursor: ranked.next! })).toHaveLength(1);
    expect(await slugs({ q: 'rounding', sort: 'date' })).toEqual(['weights', 'rounding']);
    expect(await slugs({ q: '\u0000' })).toEqual([]);
  });

  it('shows the verdict of the latest run of a claim', async () => {
    const { lab, feed } = await open();
    const before = await feed.get('shift-paper');
    expect(before).toMatchObject({ paper: { verdict: null }, latest: null });
    expect(before.experiment?.seeds).toEqual([0, 1, 2]);
    expect(before.methods.map((method) => method.name)).toEqual(['shift']);
    expect(before.rivals.map((method) => method.name)).toContain('copy');
    const jobs = await lab.jobs();
    const { id } = await lab.submit({ kind: 'claim', request: { paper: 'shift-paper' } });
    await new Promise<void>((resolve) => {
      jobs.watch(id, (job) => isFinished(job) && resolve());
    });
    const after = await feed.get('shift-paper');
    expect(after.paper.verdict).toMatchObject({ holds: true, result: after.latest?.id });
    const { items } = await feed.list({ limit: 1 });
    expect(items[0]?.verdict?.holds).toBe(true);
    const room = feed.rooms().find((each) => each.room === 'quantize');
    expect(room).toMatchObject({ papers: 2, runs: 0 });
  });
});
