/** A room: its tasks, its methods and its papers. */

import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { methodsQuery, papersQuery, roomsQuery, tasksQuery } from '../api/queries.ts';
import type { PaperItem } from '../api/types.ts';
import { count } from '../parts/format.ts';
import { MethodList } from '../parts/method-list.tsx';
import { Failure } from '../parts/notice.tsx';
import { usePageTitle } from '../parts/page.ts';
import { PaperList } from '../parts/paper-list.tsx';
import { SkeletonFeed, SkeletonPage } from '../parts/skeleton.tsx';
import { NotFoundPage } from './not-found.tsx';

const route = getRouteApi('/rooms/$room');

export function RoomPage() {
  const { room: name } = route.useParams();
  const rooms = useQuery(roomsQuery());
  const room = rooms.data?.items.find((item) => item.room === name);
  usePageTitle(room?.title);
  if (rooms.isError && !rooms.data) {
    return <Failure error={rooms.error} retry={() => rooms.refetch()} />;
  }
  if (!rooms.data) return <SkeletonPage />;
  if (!room) return <NotFoundPage what={`There is no room “${name}”.`} />;
  return (
    <>
      <header className="page-head">
        <p className="crumbs">
          <Link to="/rooms">Rooms</Link>
        </p>
        <h1>{room.title}</h1>
        <p className="lead">{room.summary}</p>
        <p className="muted">
          {count(room.papers, 'paper')},{' '}
          {room.runs === 0
            ? 'none of which runs here yet'
            : `${room.runs} of which ${room.runs === 1 ? 'runs' : 'run'} here`}
          .
        </p>
      </header>
      <RoomTasks room={name} />
      <RoomPapers room={name} />
    </>
  );
}

function RoomTasks({ room }: { readonly room: string }) {
  const tasks = useQuery(tasksQuery());
  const methods = useQuery(methodsQuery());
  const inside = tasks.data?.items.filter((task) => task.room === room) ?? [];
  return inside.map((task) => (
    <section key={task.name} aria-labelledby={`task-${task.name}`}>
      <h2 id={`task-${task.name}`}>{task.title}</h2>
      <p>{task.summary}</p>
      <MethodList
        methods={methods.data?.items.filter((method) => method.task === task.name) ?? []}
      />
      <p className="actions">
        <Link to="/compare" search={{ task: task.name }} className="button">
          Compare them
        </Link>
      </p>
    </section>
  ));
}

function RoomPapers({ room }: { readonly room: string }) {
  const query = useInfiniteQuery(papersQuery({ room }));
  const papers = query.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <section aria-labelledby="papers">
      <h2 id="papers">Papers</h2>
      {query.isPending ? <SkeletonFeed items={4} /> : null}
      {query.isError && !query.data ? (
        <Failure error={query.error} retry={() => query.refetch()} />
      ) : null}
      <PaperList papers={runningFirst(papers)} dates="full" showRoom={false} />
      {query.hasNextPage ? (
        <button
          type="button"
          className="button button-wide"
          disabled={query.isFetchingNextPage}
          onClick={() => query.fetchNextPage()}
        >
          Show more papers
        </button>
      ) : null}
    </section>
  );
}

function runningFirst(papers: readonly PaperItem[]): PaperItem[] {
  const rank = (paper: PaperItem) => (paper.status === 'runs' ? 0 : 1);
  return [...papers].sort((a, b) => rank(a) - rank(b));
}
