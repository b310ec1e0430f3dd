/** A paper: what it is, what it claims, what was measured here, and how to use it. */

import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { paperQuery, taskQuery } from '../api/queries.ts';
import type { PaperDetail } from '../api/types.ts';
import { ClaimRunner } from '../parts/claim-runner.tsx';
import { formatDate } from '../parts/format.ts';
import { Failure, isNotFound } from '../parts/notice.tsx';
import { usePageTitle } from '../parts/page.ts';
import { PaperRail } from '../parts/paper-rail.tsx';
import { SkeletonPage } from '../parts/skeleton.tsx';
import { Snippet } from '../parts/snippet.tsx';
import { exampleCommand, programFor } from '../parts/snippets.ts';
import { StatusTag, VerdictTag } from '../parts/verdict.tsx';
import { NotFoundPage } from './not-found.tsx';

const route = getRouteApi('/papers/$slug');

export function PaperPage() {
  const { slug } = route.useParams();
  const { data: paper, error, refetch } = useQuery(paperQuery(slug));
  usePageTitle(paper?.title);
  if (isNotFound(error)) return <NotFoundPage what={`There is no paper “${slug}”.`} />;
  if (error && !paper) return <Failure error={error} retry={refetch} />;
  if (!paper) return <SkeletonPage />;
  return (
    <article className="paper-page">
      <header className="page-head">
        <p className="crumbs">
          <Link to="/rooms/$room" params={{ room: paper.room }}>
            {paper.room}
          </Link>
        </p>
        <h1>{paper.title}</h1>
        <p className="authors">{paper.authors.join(', ')}</p>
        <p className="facts">
          <time dateTime={paper.date}>{formatDate(paper.date)}</time>
          {paper.venue ? <span>{paper.venue}</span> : null}
          <a href={`https://arxiv.org/abs/${paper.arxiv}`} rel="noreferrer">
            arXiv {paper.arxiv}
          </a>
          {paper.code ? (
            <a href={paper.code} rel="noreferrer">
              Code
            </a>
          ) : null}
          <StatusTag status={paper.status} />
          <VerdictTag paper={paper} />
        </p>
      </header>
      <div className="paper-main">
        <p className="summary">{paper.summary}</p>
        <section aria-labelledby="claim">
          <h2 id="claim">The claim</h2>
          <p className="claim">{paper.claim}</p>
          {paper.status === 'runs' ? null : <NotBuilt />}
        </section>
        {paper.status === 'runs' ? (
          <>
            <ClaimRunner paper={paper} />
            {paper.verified === null ? null : (
              <section aria-labelledby="verified">
                <h2 id="verified">Checked against</h2>
                <p>{paper.verified}</p>
              </section>
            )}
            <UseIt paper={paper} />
          </>
        ) : null}
      </div>
      <PaperRail paper={paper} />
    </article>
  );
}

function NotBuilt() {
  return (
    <div className="notice">
      <p className="notice-title">Described, not built yet</p>
      <p>
        The claim is written down, but its method does not run in Assay yet, so nothing
        was measured.{' '}
        <Link to="/" search={{ status: 'runs' }}>
          See what runs today
        </Link>
        .
      </p>
    </div>
  );
}

function UseIt({ paper }: { readonly paper: PaperDetail }) {
  const name = paper.methods[0]?.task;
  const { data: task } = useQuery({ ...taskQuery(name ?? ''), enabled: Boolean(name) });
  if (!task) return null;
  const commands = paper.methods.map((method) => exampleCommand(method, task));
  const reproduce = paper.experiment ? [`assay reproduce ${paper.slug}`] : [];
  return (
    <section aria-labelledby="use">
      <h2 id="use">Use it</h2>
      <Snippet title="In a terminal" code={[...reproduce, ...commands].join('\n')} />
      {paper.methods.map((method) => (
        <Snippet
          key={method.name}
          title="In TypeScript"
          code={programFor(method, task)}
        />
      ))}
      <p className="actions">
        <Link to="/compare" search={{ task: task.name }} className="button">
          Compare on your own input
        </Link>
        {paper.methods.map((method) => (
          <Link
            key={method.name}
            to="/methods/$name"
            params={{ name: method.name }}
            className="quiet-button"
          >
            Options of {method.name}
          </Link>
        ))}
      </p>
    </section>
  );
}
