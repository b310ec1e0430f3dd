/** Jobs: what is running, what waits, what ended. */

import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { isActive, jobsQuery } from '../api/queries.ts';
import type { JobItem, JobState } from '../api/types.ts';
import { formatMoment, formatSeconds } from '../parts/format.ts';
import { JobProgress } from '../parts/job-progress.tsx';
import { Empty, Failure } from '../parts/notice.tsx';
import { usePageTitle } from '../parts/page.ts';
import { SkeletonLines } from '../parts/skeleton.tsx';

export function JobsPage() {
  const { data, error, refetch } = useQuery(jobsQuery());
  usePageTitle('Jobs');
  const active = data?.items.filter((job) => isActive(job)) ?? [];
  const ended = data?.items.filter((job) => !isActive(job)) ?? [];
  return (
    <>
      <header className="page-head">
        <h1>Jobs</h1>
        <p className="lead">
          Comparisons, claims and artifacts that this machine works on.
        </p>
      </header>
      {error && !data ? <Failure error={error} retry={refetch} /> : null}
      {!data && !error ? <SkeletonLines lines={8} /> : null}
      {data?.items.length === 0 ? (
        <Empty title="No job has run yet">
          <p>Compare rivals on a model, or open a paper and run its claim.</p>
          <Link to="/compare" className="button">
            Compare rivals
          </Link>
        </Empty>
      ) : null}
      {active.length > 0 ? (
        <section aria-labelledby="active">
          <h2 id="active">At work</h2>
          <ul className="active-jobs">
            {active.map((job) => (
              <li key={job.id}>
                <p className="job-title">
                  <JobLink job={job} />
                </p>
                <JobProgress job={job} />
              </li>
            ))}
          </ul>
        </section>
      ) : null}
      {ended.length > 0 ? <EndedJobs jobs={ended} /> : null}
    </>
  );
}

function EndedJobs({ jobs }: { readonly jobs: readonly JobItem[] }) {
  return (
    <section aria-labelledby="ended">
      <h2 id="ended">Ended</h2>
      <ul className="ended-jobs">
        {jobs.map((job) => (
          <li key={job.id}>
            <span className={`job-state job-state-${job.state}`}>
              {states[job.state]}
            </span>
            <div className="job-what">
              <JobLink job={job} />
              {job.error && job.state === 'failed' ? (
                <p className="job-error">{job.error.message}</p>
              ) : null}
            </div>
            <span className="job-when">
              {formatMoment(job.finishedAt ?? job.createdAt)}
              {job.startedAt && job.finishedAt ? (
                <span className="job-took">
                  {formatSeconds(
                    (Date.parse(job.finishedAt) - Date.parse(job.startedAt)) / 1000,
                  )}
                </span>
              ) : null}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

const states: Record<JobState, string> = {
  queued: 'Waiting',
  running: 'Running',
  done: 'Done',
  failed: 'Failed',
  cancelled: 'Cancelled',
};

/** Leads to where the job's outcome is shown. */
export function JobLink({ job }: { readonly job: JobItem }) {
  if (job.kind === 'claim') {
    return (
      <Link to="/papers/$slug" params={{ slug: job.request.paper }}>
        {job.title}
      </Link>
    );
  }
  return (
    <Link to="/compare/$id" params={{ id: job.result ?? job.id }}>
      {job.title}
    </Link>
  );
}
