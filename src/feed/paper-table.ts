/** Papers in the database: filling the table and full-text search over it. */

import type { Queryable } from '../lab/database/database.ts';
import type { PaperEntry } from '../nouns/paper.ts';
import { wordsOf } from './memory-search.ts';

/** Makes the table hold exactly these papers. */
export async function storePapers(
  database: Queryable,
  papers: readonly PaperEntry[],
): Promise<void> {
  const rows = papers.map(({ slug, title, authors, summary, date, room }) => ({
    slug,
    title,
    authors: authors.join(', '),
    summary,
    date,
    room,
  }));
  await database.query(
    `with given as (
       select * from jsonb_to_recordset($1::jsonb)
         as each(slug text, title text, authors text, summary text, date date, room text)
     ), gone as (
       delete from assay.paper where slug not in (select slug from given)
     )
     insert into assay.paper (slug, title, authors, summary, date, room)
     select slug, title, authors, summary, date, room from given
     on conflict (slug) do update set
       title = excluded.title, authors = excluded.authors, summary = excluded.summary,
       date = excluded.date, room = excluded.room
     where (paper.title, paper.authors, paper.summary, paper.date, paper.room)
       is distinct from
       (excluded.title, excluded.authors, excluded.summary, excluded.date, excluded.room)`,
    [JSON.stringify(rows)],
  );
}

/**
 * Slugs that match, best first. The query is read as in a search engine (quotes, `or`, `-`);
 * while its last word is being typed, words that start with it match too.
 */
export async function searchPapers(
  database: Queryable,
  query: string,
): Promise<string[]> {
  const last = /[\p{L}\p{N}]+$/u.exec(query)?.[0] ?? '';
  const head = query.slice(0, query.length - last.length);
  // A word that is excluded or quoted is not completed.
  const prefix = /["-]$/.test(head) || head.split('"').length % 2 === 0 ? '' : last;
  if (wordsOf(query).length === 0) return [];
  const { rows } = await database.query<{ slug: string }>(
    `with question as (
       select case when $3 = '' then whole else whole || (rest && start) end as words
       from (select
         websearch_to_tsquery('english', $1) || websearch_to_tsquery('simple', $1) as whole,
         websearch_to_tsquery('english', $2) as rest,
         case when $3 = '' then ''::tsquery
              else to_tsquery('simple', $3 || ':*') end as start
       ) as parts
     )
     select slug from assay.paper, question where paper.words @@ question.words
     order by ts_rank_cd('{0.1, 0.2, 0.5, 1.0}', paper.words, question.words) desc,
              date desc, slug`,
    [query, head, prefix.toLowerCase()],
  );
  return rows.map((row) => row.slug);
}
