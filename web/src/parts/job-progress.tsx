/** A job at work: bar, what is being done, remaining time, live numbers, cancel. */

import { useCancelJob } from '../api/live-job.ts';
import { isActive } from '../api/queries.ts';
import type { JobItem } from '../api/types.ts';
import { labelOf } from '../form/fields.ts';
import { formatAbout, formatLoose } from './format.ts';
import { messageOf } from './notice.tsx';

export function JobProgress({ job }: { readonly job: JobItem }) {
  const cancel = useCancelJob();
  const { progress } = job;
  const percent = percentDone(job);
  const metrics = Object.entries(progress?.metrics ?? {});
  return (
    <div className="progress">
      <div className="progress-head">
        <span className="progress-label">{progressLabel(job)}</span>
        <span className="progress-percent">{percent} %</span>
      </div>
      <div
        className="bar"
        role="progressbar"
        aria-label={job.title}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
        aria-valuetext={`${percent} percent, ${progressLabel(job)}`}
      >
        <div className="bar-done" style={{ width: `${percent}%` }} />
      </div>
      <div className="progress-foot">
        <span>
          {isActive(job) && progress && progress.secondsLeft !== null
            ? progress.secondsLeft === 0
              ? 'Almost done'
              : `${formatAbout(progress.secondsLeft)} left`
            : ''}
          {metrics.map(([name, value]) => (
            <span key={name} className="progress-metric">
              {labelOf(name)} {formatLoose(value)}
            </span>
          ))}
        </span>
        {isActive(job) ? (
          <button
            type="button"
            className="quiet-button"
            disabled={cancel.isPending}
            onClick={() => cancel.mutate(job.id)}
          >
            Cancel<span className="visually-hidden"> {job.title}</span>
          </button>
        ) : null}
      </div>
      {cancel.isError ? (
        <p className="field-error" role="alert">
          {messageOf(cancel.error)}
        </p>
      ) : null}
      <JobAnnouncement job={job} />
    </div>
  );
}

/** Tells screen readers every quarter of the way, not every step. */
function JobAnnouncement({ job }: { readonly job: JobItem }) {
  const quarter = Math.floor(percentDone(job) / 25);
  return (
    <p className="visually-hidden" aria-live="polite">
      {`${job.title}: ${quarter * 25} percent done`}
    </p>
  );
}

export function percentDone(job: JobItem): number {
  if (job.state === 'done') return 100;
  const { progress } = job;
  if (!progress || progress.total <= 0) return 0;
  // All work may be counted before the result is stored.
  return Math.min(99, Math.floor((100 * progress.done) / progress.total));
}

function progressLabel(job: JobItem): string {
  if (job.state === 'queued') return 'Waiting for other jobs to finish';
  return job.progress?.label ?? 'Starting';
}
