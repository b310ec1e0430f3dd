/** A comparison at its permanent address: live while it runs, then as it was stored. */

import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, Navigate } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { useLiveJob } from '../api/live-job.ts';
import { isActive, resultQuery, taskQuery } from '../api/queries.ts';
import type {
  ComparisonRow,
  JobItem,
  Recommendation,
  StoredComparisonItem,
  StoredResultItem,
  TaskInfo,
} from '../api/types.ts';
import { ArtifactFiles, ArtifactMaker } from '../parts/artifact-maker.tsx';
import { ComparisonTable } from '../parts/comparison-table.tsx';
import { formatMoment } from '../parts/format.ts';
import { Icon } from '../parts/icon.tsx';
import { JobProgress } from '../parts/job-progress.tsx';
import { nameComparison } from '../parts/name-comparison.ts';
import { Failure, isNotFound } from '../parts/notice.tsx';
import { usePageTitle } from '../parts/page.ts';
import { ParetoPlot } from '../parts/pareto-plot.tsx';
import { Provenance } from '../parts/provenance.tsx';
import { RecommendationView } from '../parts/recommendation.tsx';
import { SkeletonPage } from '../parts/skeleton.tsx';
import { NotFoundPage } from './not-found.tsx';

const route = getRouteApi('/compare/$id');

/** Results are named by a SHA-256, jobs by a UUID. */
export function ComparisonPage() {
  const { id } = route.useParams();
  return /^[0-9a-f]{64}$/.test(id) ? <ResultPage id={id} /> : <JobPage id={id} />;
}

function JobPage({ id }: { readonly id: string }) {
  const { data: job, error, refetch } = useLiveJob(id);
  const task = useQuery({
    ...taskQuery(job?.kind === 'comparison' ? job.request.task : ''),
    enabled: job?.kind === 'comparison',
  });
  // The live page stays until the stored one can take its place at once.
  const stored = useQuery({
    ...resultQuery(job?.result ?? ''),
    enabled: Boolean(job?.result),
  });
  const title = job?.kind === 'comparison' ? nameComparison(job, task.data) : job?.title;
  usePageTitle(title);
  if (isNotFound(error)) return <NotFoundPage what="There is no such comparison." />;
  if (error && !job) return <Failure error={error} retry={refetch} />;
  if (!job) return <SkeletonPage />;
  if (job.kind === 'claim') {
    return <Navigate to="/papers/$slug" params={{ slug: job.request.paper }} replace />;
  }
  if (job.state === 'done' && job.result && !stored.isPending) {
    return <Navigate to="/compare/$id" params={{ id: job.result }} replace />;
  }
  return (
    <>
      <Head
        title={title ?? job.title}
        crumb={job.kind === 'comparison' ? 'Compare' : 'Artifact'}
      />
      {isActive(job) || job.state === 'done' ? (
        <JobProgress job={job} />
      ) : (
        <Ended job={job} />
      )}
      {task.data ? (
        <Measured rows={job.rows} task={task.data} recommendation={null} />
      ) : null}
    </>
  );
}

function Ended({ job }: { readonly job: JobItem }) {
  return (
    <div className="notice" role="status">
      <p className="notice-title">
        {job.state === 'cancelled' ? 'Cancelled' : 'It failed'}
      </p>
      <p>
        {job.state === 'cancelled'
          ? 'The run was stopped before its end.'
          : (job.error?.message ?? 'No reason was given.')}
      </p>
      <Link to="/compare" className="button">
        New comparison
      </Link>
    </div>
  );
}

function ResultPage({ id }: { readonly id: string }) {
  const { data: stored, error, refetch } = useQuery(resultQuery(id));
  if (isNotFound(error)) return <NotFoundPage what="There is no such comparison." />;
  if (error && !stored) return <Failure error={error} retry={refetch} />;
  if (!stored) return <SkeletonPage />;
  if (stored.kind === 'claim') {
    return <Navigate to="/papers/$slug" params={{ slug: stored.result.paper }} replace />;
  }
  if (stored.kind === 'comparison') return <StoredComparison stored={stored} />;
  return <StoredArtifact stored={stored} />;
}

type StoredArtifactItem = Extract<StoredResultItem, { kind: 'artifact' }>;

function StoredArtifact({ stored }: { readonly stored: StoredArtifactItem }) {
  usePageTitle(stored.title);
  return (
    <>
      <Head title={stored.title} crumb="Artifact">
        Made {formatMoment(stored.finishedAt)}
      </Head>
      <ArtifactFiles id={stored.id} />
      <Provenance stored={stored} />
    </>
  );
}

function StoredComparison({ stored }: { readonly stored: StoredComparisonItem }) {
  const { id, result, request } = stored;
  const task = useQuery(taskQuery(result.task));
  const title = nameComparison(stored, task.data);
  usePageTitle(title);
  return (
    <>
      <Head title={title} crumb="Compare">
        Finished {formatMoment(stored.finishedAt)}
      </Head>
      <div aria-live="polite">
        <RecommendationView recommendation={result.recommendation} rows={result.rows} />
      </div>
      {task.error ? <Failure error={task.error} retry={task.refetch} /> : null}
      {task.data ? (
        <Measured
          rows={result.rows}
          task={task.data}
          recommendation={result.recommendation}
          detail={(row) => (
            <ArtifactMaker
              row={row}
              task={task.data}
              inputs={request.inputs}
              seed={request.seed}
            />
          )}
        />
      ) : null}
      <p className="actions">
        <a className="quiet-button" href={`/api/results/${id}`} download={`${id}.json`}>
          <Icon name="download" /> JSON
        </a>
        <a className="quiet-button" href={`/api/results/${id}/plot.svg`} download>
          <Icon name="download" /> Plot (SVG)
        </a>
        <Link to="/compare" search={{ from: id }} className="button">
          Compare with other settings
        </Link>
      </p>
      <Provenance stored={stored} />
    </>
  );
}

interface HeadProps {
  readonly title: string;
  readonly crumb: string;
  readonly children?: ReactNode;
}

function Head({ title, crumb, children }: HeadProps) {
  return (
    <header className="page-head">
      <p className="crumbs">
        {crumb === 'Compare' ? <Link to="/compare">{crumb}</Link> : crumb}
      </p>
      <h1>{title}</h1>
      <p className="muted">{children}</p>
    </header>
  );
}

interface MeasuredProps {
  readonly rows: readonly ComparisonRow[];
  readonly task: TaskInfo;
  readonly recommendation: Recommendation | null;
  readonly detail?: (row: ComparisonRow) => ReactNode;
}

function Measured({ rows, task, recommendation, detail }: MeasuredProps) {
  const x = task.metrics.find((metric) => metric.name === task.plot.x);
  const y = task.metrics.find((metric) => metric.name === task.plot.y);
  return (
    <div className="measured">
      <section aria-labelledby="table">
        <h2 id="table">Measured</h2>
        {rows.length === 0 ? (
          <p className="muted">Rows appear here as rivals are measured.</p>
        ) : (
          <ComparisonTable
            rows={rows}
            metrics={task.metrics}
            recommendation={recommendation}
            caption="Rivals and their metrics"
            detail={detail}
          />
        )}
      </section>
      {x && y ? (
        <section aria-labelledby="plot">
          <h2 id="plot">
            {y.title} against {x.title.toLowerCase()}
          </h2>
          <ParetoPlot rows={rows} x={x} y={y} recommendation={recommendation} />
        </section>
      ) : null}
    </div>
  );
}
