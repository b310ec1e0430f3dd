/** Beside a paper: the rivals of its method and other papers of its room. */

import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { papersQuery } from '../api/queries.ts';
import type { PaperDetail } from '../api/types.ts';
import { MethodList } from './method-list.tsx';

const shownNeighbours = 5;

export function PaperRail({ paper }: { readonly paper: PaperDetail }) {
  return (
    <aside className="rail" aria-label="Related">
      {paper.rivals.length > 0 ? (
        <section aria-labelledby="rivals">
          <h2 id="rivals">Rivals</h2>
          <MethodList methods={paper.rivals} />
        </section>
      ) : null}
      <Neighbours paper={paper} />
    </aside>
  );
}

function Neighbours({ paper }: { readonly paper: PaperDetail }) {
  const { data } = useInfiniteQuery(papersQuery({ room: paper.room }));
  const others = (data?.pages[0]?.items ?? []).filter((one) => one.slug !== paper.slug);
  if (others.length === 0) return null;
  return (
    <section aria-labelledby="neighbours">
      <h2 id="neighbours">More in {paper.room}</h2>
      <ul className="neighbours">
        {others.slice(0, shownNeighbours).map((other) => (
          <li key={other.slug}>
            <Link to="/papers/$slug" params={{ slug: other.slug }}>
              {other.title}
            </Link>
          </li>
        ))}
      </ul>
      {others.length > shownNeighbours ? (
        <Link to="/rooms/$room" params={{ room: paper.room }} className="rail-more">
          The whole room
        </Link>
      ) : null}
    </section>
  );
}
