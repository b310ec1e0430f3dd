/** The latest comparison in brief, or the one that is running. */

import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useLiveJob } from '../api/live-job.ts';
import { isActive, jobsQuery, latestComparisonQuery, taskQuery } from '../api/queries.ts';
import type { ComparisonRow, JobOf, Recommendation, TaskInfo } from '../api/types.ts';
import { ComparisonTable } from './comparison-table.tsx';
import { formatMoment } from './format.ts';
import { Icon } from './icon.tsx';
import { JobProgress } from './job-progress.tsx';
import { nameComparison } from './name-comparison.ts';
import { Failure } from './notice.tsx';
import { RecommendationView } from './recommendation.tsx';
import { SkeletonLines } from './skeleton.tsx';

export function LatestComparison() {
  const latest = useQuery(latestComparisonQuery());
  const jobs = useQuery(jobsQuery());
  const running = jobs.data?.items.find(
    (job): job is JobOf<'comparison'> => job.kind === 'comparison' && isActive(job),
  );
  const task = useQuery({
    ...taskQuery(latest.data?.result.task ?? running?.request.task ?? ''),
    enabled: Boolean(latest.data ?? running),
  });
  return (
    <>
      <h2 id="latest" className="panel-title">
        {!latest.data && running ? 'First comparison' : 'Latest comparison'}
      </h2>
      {latest.isError ? (
        <Failure error={latest.error} retry={() => latest.refetch()} />
      ) : latest.isPending || (!latest.data && jobs.isPending) ? (
        <SkeletonLines lines={8} />
      ) : latest.data ? (
        <Stored
          id={latest.data.id}
          title={nameComparison(latest.data, task.data)}
          finishedAt={latest.data.finishedAt}
          rows={latest.data.result.rows}
          recommendation={latest.data.result.recommendation}
          task={task.data}
        />
      ) : running ? (
        <Running id={running.id} first={running} task={task.data} />
      ) : (
        <div className="panel-empty">
          <p>
            Nothing is compared yet. Point Assay at a model, and its rivals are measured
            here.
          </p>
          <Link to="/compare" className="button">
            Compare rivals
          </Link>
        </div>
      )}
      {latest.data && running ? (
        <p className="panel-foot">
          <Link to="/compare/$id" params={{ id: running.id }}>
            Another comparison is running <Icon name="arrow" />
          </Link>
        </p>
      ) : null}
    </>
  );
}

interface StoredProps {
  readonly id: string;
  readonly title: string;
  readonly finishedAt: string;
  readonly rows: readonly ComparisonRow[];
  readonly recommendation: Recommendation | null;
  readonly task: TaskInfo | undefined;
}

function Stored({ id, title, finishedAt, rows, recommendation, task }: StoredProps) {
  return (
    <>
      <p className="panel-note">
        {title}
        <br />
        {formatMoment(finishedAt)}
      </p>
      <RecommendationView recommendation={recommendation} rows={rows} />
      <BriefTable rows={rows} recommendation={recommendation} task={task} />
      <p className="panel-foot">
        <Link to="/compare/$id" params={{ id }}>
          Plot, details and files <Icon name="arrow" />
        </Link>
      </p>
    </>
  );
}

interface RunningProps {
  readonly id: string;
  readonly first: JobOf<'comparison'>;
  readonly task: TaskInfo | undefined;
}

function Running({ id, first, task }: RunningProps) {
  const live = useLiveJob(id).data;
  const job = live?.kind === 'comparison' ? live : first;
  return (
    <>
      <p className="panel-note">{nameComparison(job, task)}</p>
      <JobProgress job={job} />
      <BriefTable rows={job.rows} recommendation={null} task={task} />
      <p className="panel-foot">
        <Link to="/compare/$id" params={{ id }}>
          Watch it <Icon name="arrow" />
        </Link>
      </p>
    </>
  );
}

interface BriefProps {
  readonly rows: readonly ComparisonRow[];
  readonly recommendation: Recommendation | null;
  readonly task: TaskInfo | undefined;
}

/** The two metrics of the task's plot say the most in the least room. */
function BriefTable({ rows, recommendation, task }: BriefProps) {
  if (!task) return <SkeletonLines lines={5} />;
  if (rows.length === 0) return null;
  const metrics = [task.plot.x, task.plot.y].flatMap((name) =>
    task.metrics.filter((metric) => metric.name === name),
  );
  return (
    <ComparisonTable
      compact
      rows={rows}
      metrics={metrics}
      recommendation={recommendation}
      caption="Rivals of the comparison"
    />
  );
}
