/** Search over papers in memory, for the seconds before the database is open. */

import type { PaperEntry } from '../nouns/paper.ts';

const weights = { title: 8, slug: 8, authors: 4, summary: 1 } as const;

/**
 * Slugs of the papers in which every word of the query starts some word, best first: words of
 * the title count most, then authors, then the summary; ties keep the order of the catalog.
 */
export function searchInMemory(papers: readonly PaperEntry[], query: string): string[] {
  const wanted = wordsOf(query);
  if (wanted.length === 0) return [];
  return papers
    .map((paper) => ({ slug: paper.slug, score: scoreOf(paper, wanted) }))
    .filter(({ score }) => score > 0)
    .sort((left, right) => right.score - left.score)
    .map(({ slug }) => slug);
}

/** Letters and digits of a text as lower-case words. */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

function scoreOf(paper: PaperEntry, wanted: readonly string[]): number {
  const fields = {
    title: wordsOf(paper.title),
    slug: wordsOf(paper.slug),
    authors: wordsOf(paper.authors.join(' ')),
    summary: wordsOf(paper.summary),
  };
  let total = 0;
  for (const word of wanted) {
    let best = 0;
    for (const [name, words] of Object.entries(fields)) {
      if (words.some((each) => each.startsWith(word))) {
        best = Math.max(best, weights[name as keyof typeof weights]);
      }
    }
    if (best === 0) return 0;
    total += best;
  }
  return total;
}
