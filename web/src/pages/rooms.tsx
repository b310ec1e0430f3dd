/** The 14 rooms: what a user may want done, and how much of it works today. */

import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { roomsQuery } from '../api/queries.ts';
import type { RoomItem } from '../api/types.ts';
import { count } from '../parts/format.ts';
import { Failure } from '../parts/notice.tsx';
import { usePageTitle } from '../parts/page.ts';
import { SkeletonLines } from '../parts/skeleton.tsx';

export function RoomsPage() {
  const { data, error, refetch } = useQuery(roomsQuery());
  usePageTitle('Rooms');
  return (
    <>
      <header className="page-head">
        <h1>Rooms</h1>
        <p className="lead">
          Papers are sorted by what you want done. In each room, rivals are compared on
          equal terms.
        </p>
      </header>
      {error && !data ? <Failure error={error} retry={refetch} /> : null}
      {data ? (
        <ul className="rooms">
          {data.items.map((item) => (
            <RoomCard key={item.room} item={item} />
          ))}
        </ul>
      ) : error ? null : (
        <SkeletonLines lines={14} />
      )}
    </>
  );
}

function RoomCard({ item }: { readonly item: RoomItem }) {
  return (
    <li className={item.runs > 0 ? 'room-card room-card-runs' : 'room-card'}>
      <h2>
        <Link to="/rooms/$room" params={{ room: item.room }}>
          {item.title}
        </Link>
      </h2>
      <p className="room-summary">{item.summary}</p>
      <p className="room-count">
        {item.runs > 0 ? (
          <strong>
            {item.runs} of {count(item.papers, 'paper')}{' '}
            {item.runs === 1 ? 'runs' : 'run'}
          </strong>
        ) : (
          `${count(item.papers, 'paper')}, described`
        )}
      </p>
    </li>
  );
}
