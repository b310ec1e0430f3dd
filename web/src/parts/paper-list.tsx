/** Papers in a list: title, authors, summary, room, status and verdict of each. */

import { Link } from '@tanstack/react-router';
import type { PaperItem } from '../api/types.ts';
import { formatAuthors, formatDay, formatShortDate } from './format.ts';
import { StatusTag, VerdictTag } from './verdict.tsx';

interface Props {
  readonly papers: readonly PaperItem[];
  /** `day` where the month stands above the list. */
  readonly dates: 'day' | 'full';
  readonly showRoom?: boolean;
}

export function PaperList({ papers, dates, showRoom = true }: Props) {
  return (
    <ol className={dates === 'day' ? 'papers' : 'papers papers-dated'}>
      {papers.map((paper) => (
        <li key={paper.slug} className="paper">
          <time className="paper-date" dateTime={paper.date}>
            {dates === 'day' ? formatDay(paper.date) : formatShortDate(paper.date)}
          </time>
          <div className="paper-body">
            <h3 className="paper-title">
              <Link to="/papers/$slug" params={{ slug: paper.slug }}>
                {paper.title}
              </Link>
            </h3>
            <p className="paper-authors">{formatAuthors(paper.authors, 3)}</p>
            <p className="paper-summary">{paper.summary}</p>
            <p className="paper-meta">
              {showRoom ? (
                <Link to="/rooms/$room" params={{ room: paper.room }} className="room">
                  {paper.room}
                </Link>
              ) : null}
              <StatusTag status={paper.status} />
              <VerdictTag paper={paper} />
            </p>
          </div>
        </li>
      ))}
    </ol>
  );
}
