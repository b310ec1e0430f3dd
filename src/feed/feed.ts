/** Daily Papers: the catalog with what was measured here, listed by date or searched. */

import { AssayError, InvalidInputError } from '../error.ts';
import type { Lab } from '../lab/lab.ts';
import type { ResultEntry, StoredClaim } from '../lab/results.ts';
import type { AnyMethod } from '../nouns/method.ts';
import { type Paper, type PaperStatus, type Room, rooms } from '../nouns/paper.ts';
import { searchInMemory } from './memory-search.ts';
import { searchPapers, storePapers } from './paper-table.ts';
import { type RoomText, roomTexts } from './room-texts.ts';

/** The latest run of a paper's claim on this machine. */
export interface Verdict {
  readonly holds: boolean;
  readonly result: string;
  readonly finishedAt: string;
}

export type FeedPaper = Paper & { readonly verdict: Verdict | null };

export interface FeedQuery {
  readonly q?: string | undefined;
  readonly room?: Room | undefined;
  readonly status?: PaperStatus | undefined;
  /** Newest first. Without it a search gives the best match first. */
  readonly sort?: 'date' | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface FeedPage {
  readonly items: readonly FeedPaper[];
  readonly next: string | null;
}

export interface FeedRoom extends RoomText {
  readonly room: Room;
  readonly papers: number;
  readonly runs: number;
}

export interface FeedDetail {
  readonly paper: FeedPaper;
  readonly methods: readonly AnyMethod[];
  /** Other methods of the tasks that the paper's methods do, or of its room's tasks. */
  readonly rivals: readonly AnyMethod[];
  readonly experiment: {
    readonly statement: string;
    readonly seconds: number;
    readonly seeds: readonly number[];
  } | null;
  readonly latest: StoredClaim | null;
}

export interface Feed {
  list(query: FeedQuery): Promise<FeedPage>;
  /** Throws `not-found`. */
  get(slug: string): Promise<FeedDetail>;
  rooms(): readonly FeedRoom[];
}

/** A feed over papers (newest first) and a lab. Its pages never wait for the database. */
export function createFeed(papers: readonly Paper[], lab: Lab): Feed {
  const { registry, results } = lab;
  let searchable = false;
  lab
    .jobs()
    .then(async () => {
      await storePapers(await lab.database(), papers);
      searchable = true;
    })
    .catch(() => {
      // The lab reports why its database is missing; memory serves the search.
    });
  const withVerdict = (paper: Paper): FeedPaper => {
    const entry = results.latest({ kind: 'claim', paper: paper.slug });
    return { ...paper, verdict: entry ? verdictOf(entry) : null };
  };
  const matches = async (q: string): Promise<readonly Paper[]> => {
    const bySlug = new Map(papers.map((paper) => [paper.slug, paper]));
    const slugs = searchable
      ? await searchPapers(await lab.database(), q).catch(() => searchInMemory(papers, q))
      : searchInMemory(papers, q);
    return slugs.map((slug) => bySlug.get(slug)).filter((paper) => paper !== undefined);
  };
  return {
    async list({ q = '', room, status, sort, limit, cursor }) {
      const asked = q.trim();
      const found = asked === '' ? papers : await matches(asked);
      const fitting = found.filter(
        (paper) =>
          (room === undefined || paper.room === room) &&
          (status === undefined || paper.status === status),
      );
      const ranked = asked !== '' && sort !== 'date';
      const order = ranked ? fitting : papers.filter((paper) => fitting.includes(paper));
      const start = startAfter(order, cursor);
      const page = order.slice(start, start + limit);
      const more = start + limit < order.length;
      return {
        items: page.map(withVerdict),
        next: more && page.length > 0 ? writeCursor(page.at(-1)!, start + limit) : null,
      };
    },
    async get(slug) {
      const paper = papers.find((each) => each.slug === slug);
      if (!paper) throw new AssayError('not-found', `no paper "${slug}" in the catalog`);
      const methods = registry.methodsOfPaper(slug);
      const tasks = new Set(
        methods.length > 0
          ? methods.map((method) => method.task)
          : registry.tasks
              .filter(({ room }) => room === paper.room)
              .map(({ name }) => name),
      );
      const claim = registry.claims.find((each) => each.paper === slug);
      return {
        paper: withVerdict(paper),
        methods,
        rivals: registry.methods.filter(
          (method) => tasks.has(method.task) && method.paper !== slug,
        ),
        experiment: claim
          ? { statement: claim.statement, seconds: claim.seconds, seeds: claim.seeds }
          : null,
        latest: await latestClaim(lab, slug),
      };
    },
    rooms: () =>
      rooms.map((room) => {
        const inside = papers.filter((paper) => paper.room === room);
        const runs = inside.filter((paper) => paper.status === 'runs').length;
        return { room, ...roomTexts[room], papers: inside.length, runs };
      }),
  };
}

function verdictOf({ holds, id, finishedAt }: ResultEntry): Verdict {
  return { holds: holds ?? false, result: id, finishedAt };
}

async function latestClaim(lab: Lab, slug: string): Promise<StoredClaim | null> {
  const entry = lab.results.latest({ kind: 'claim', paper: slug });
  if (!entry) return null;
  const stored = await lab.results.read(entry.id);
  return stored.kind === 'claim' ? stored : null;
}

/**
 * A cursor names the last paper shown, so that a paper that appears above it shifts nothing,
 * and its place, in case it is gone.
 */
function writeCursor(paper: Paper, place: number): string {
  return Buffer.from(JSON.stringify([paper.slug, place])).toString('base64url');
}

function startAfter(order: readonly Paper[], cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  try {
    const [slug, place] = JSON.parse(
      Buffer.from(cursor, 'base64url').toString('utf8'),
    ) as [unknown, unknown];
    if (typeof slug === 'string' && Number.isInteger(place) && Number(place) >= 0) {
      const index = order.findIndex((paper) => paper.slug === slug);
      return index >= 0 ? index + 1 : Number(place);
    }
  } catch {
    // Reported below.
  }
  throw new InvalidInputError('cursor', '`next` of an earlier page', cursor);
}
