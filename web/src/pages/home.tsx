/** Home: the feed of papers by date, search, and the latest comparison. */

import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { type PaperFilter, papersQuery, roomsQuery } from '../api/queries.ts';
import type { PaperItem } from '../api/types.ts';
import { count, formatMonth } from '../parts/format.ts';
import { Icon } from '../parts/icon.tsx';
import { LatestComparison } from '../parts/latest-comparison.tsx';
import { Empty, Failure } from '../parts/notice.tsx';
import { usePageTitle } from '../parts/page.ts';
import { PaperList } from '../parts/paper-list.tsx';
import { SkeletonFeed } from '../parts/skeleton.tsx';

const route = getRouteApi('/');

export function HomePage() {
  const filter = route.useSearch();
  usePageTitle(undefined);
  return (
    <div className="home">
      <div className="home-intro">
        <h1>Daily papers that run</h1>
        <p className="lead">
          Read what a paper claims, see what was measured on this machine, and run its
          method on your own model and data.
        </p>
      </div>
      <aside className="home-aside" aria-labelledby="latest">
        <LatestComparison />
      </aside>
      <section className="home-feed" aria-label="Papers">
        <Filters filter={filter} />
        <Feed filter={filter} />
      </section>
    </div>
  );
}

function Filters({ filter }: { readonly filter: PaperFilter }) {
  const navigate = route.useNavigate();
  const rooms = useQuery(roomsQuery());
  const input = useRef<HTMLInputElement>(null);
  const [words, setWords] = useState(filter.q ?? '');

  // The address may change without typing: by the back button or the Papers link.
  useEffect(() => {
    setWords((typed) => (typed.trim() === (filter.q ?? '') ? typed : (filter.q ?? '')));
  }, [filter.q]);

  useEffect(() => {
    const q = words.trim() || undefined;
    if (q === filter.q) return;
    const timer = setTimeout(() => {
      navigate({ search: (last) => ({ ...last, q }), replace: true });
    }, 200);
    return () => clearTimeout(timer);
  }, [words, filter.q, navigate]);

  useEffect(() => {
    const focusSearch = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
      if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) {
        return;
      }
      event.preventDefault();
      input.current?.focus();
    };
    addEventListener('keydown', focusSearch);
    return () => removeEventListener('keydown', focusSearch);
  }, []);

  return (
    // biome-ignore lint/a11y/useSemanticElements: the search element is too new for some browsers
    <form className="filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <div className="search">
        <Icon name="search" />
        <label htmlFor="search" className="visually-hidden">
          Search titles, authors and summaries
        </label>
        <input
          ref={input}
          id="search"
          type="search"
          placeholder="Search titles, authors, summaries"
          autoComplete="off"
          spellCheck={false}
          value={words}
          onChange={(event) => setWords(event.target.value)}
        />
        {/* biome-ignore lint/a11y/noAriaHiddenOnFocusable: a kbd element takes no focus */}
        <kbd aria-hidden="true">/</kbd>
      </div>
      <label htmlFor="room" className="visually-hidden">
        Room
      </label>
      <select
        id="room"
        value={filter.room ?? ''}
        onChange={(event) => {
          const room = event.target.value || undefined;
          navigate({ search: (last) => ({ ...last, room }) });
        }}
      >
        <option value="">All rooms</option>
        {filter.room && !rooms.data ? (
          <option value={filter.room}>{filter.room}</option>
        ) : null}
        {rooms.data?.items.map((item) => (
          <option key={item.room} value={item.room}>
            {item.title}
          </option>
        ))}
      </select>
      <label className="check">
        <input
          type="checkbox"
          checked={filter.status === 'runs'}
          onChange={(event) => {
            const status = event.target.checked ? 'runs' : undefined;
            navigate({ search: (last) => ({ ...last, status }) });
          }}
        />
        Runs here
      </label>
    </form>
  );
}

function Feed({ filter }: { readonly filter: PaperFilter }) {
  const query = useInfiniteQuery({
    ...papersQuery(filter),
    placeholderData: keepPreviousData,
  });
  if (query.isPending) return <SkeletonFeed items={6} />;
  if (query.isError && !query.data) {
    return <Failure error={query.error} retry={() => query.refetch()} />;
  }
  const papers = query.data.pages.flatMap((page) => page.items);
  const isFiltered = Boolean(filter.q || filter.room || filter.status);
  const found = `${count(papers.length, 'paper')}${query.hasNextPage ? ' so far' : ''}`;
  return (
    <>
      <p className={isFiltered ? 'feed-count' : 'visually-hidden'} aria-live="polite">
        {papers.length === 0 ? '' : found}
      </p>
      {papers.length === 0 ? (
        <NothingFound filter={filter} />
      ) : filter.q ? (
        <PaperList papers={papers} dates="full" />
      ) : (
        byMonth(papers).map((group) => (
          <section key={group.month} className="month">
            <h2 className="month-name">{group.month}</h2>
            <PaperList papers={group.papers} dates="day" />
          </section>
        ))
      )}
      {query.hasNextPage ? (
        <button
          type="button"
          className="button button-wide"
          disabled={query.isFetchingNextPage}
          onClick={() => query.fetchNextPage()}
        >
          {query.isFetchingNextPage ? 'Loading…' : 'Show more papers'}
        </button>
      ) : null}
    </>
  );
}

function NothingFound({ filter }: { readonly filter: PaperFilter }) {
  const navigate = route.useNavigate();
  const place = filter.room ? ` in ${filter.room}` : '';
  return (
    <Empty
      title={filter.q ? `Nothing matches “${filter.q}”${place}` : `No paper${place}`}
    >
      <p>
        {filter.status === 'runs'
          ? 'Only papers that run here are shown. The others are described.'
          : 'Fewer or more common words find more.'}
      </p>
      <button type="button" className="button" onClick={() => navigate({ search: {} })}>
        Show all papers
      </button>
    </Empty>
  );
}

function byMonth(papers: readonly PaperItem[]) {
  const groups = new Map<string, PaperItem[]>();
  for (const paper of papers) {
    const month = formatMonth(paper.date);
    groups.set(month, [...(groups.get(month) ?? []), paper]);
  }
  return [...groups].map(([month, items]) => ({ month, papers: items }));
}
