/** Runs the claim of a paper, shows it at work and what it found. */

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { postJson } from '../api/client.ts';
import { useLiveJob } from '../api/live-job.ts';
import { isActive, jobsQuery } from '../api/queries.ts';
import type { ClaimRequest, JobItem, PaperDetail } from '../api/types.ts';
import { ClaimOutcomeView } from './claim-outcome.tsx';
import { count, formatAbout } from './format.ts';
import { JobProgress } from './job-progress.tsx';
import { messageOf } from './notice.tsx';

export function ClaimRunner({ paper }: { readonly paper: PaperDetail }) {
  const client = useQueryClient();
  const [full, setFull] = useState(false);
  const jobs = useQuery(jobsQuery());
  const start = useMutation({
    mutationFn: () =>
      postJson<JobItem>('/api/claims', {
        paper: paper.slug,
        ...(full ? { full } : {}),
      } satisfies ClaimRequest),
    onSuccess: () => client.invalidateQueries({ queryKey: ['jobs'] }),
  });
  const running = jobs.data?.items.find(
    (job) => job.kind === 'claim' && job.request.paper === paper.slug && isActive(job),
  );
  const live = useLiveJob(start.data?.id ?? running?.id);
  const job = live.data ?? start.data ?? running;
  const active = job !== undefined && isActive(job);
  const { experiment, latest } = paper;

  return (
    <section aria-labelledby="measured">
      <h2 id="measured">Measured here</h2>
      {experiment ? <p className="muted">Tested here: {experiment.statement}</p> : null}
      {latest ? <ClaimOutcomeView outcome={latest} /> : null}
      {experiment === null ? (
        <p className="muted">
          The method of this paper runs; the experiment that tests its claim is not built
          yet.
        </p>
      ) : active ? (
        <JobProgress job={job} />
      ) : (
        <div className="runner">
          <p>
            {latest ? 'The experiment' : 'Not measured yet. The experiment'} takes{' '}
            {formatAbout(experiment.seconds)} on two cores, with{' '}
            {count(experiment.seeds.length, 'seed')}.
          </p>
          <div className="runner-controls">
            <button
              type="button"
              className="button button-main"
              disabled={start.isPending}
              onClick={() => start.mutate()}
            >
              {latest ? 'Run it again' : 'Run the claim'}
            </button>
            <label className="check">
              <input
                type="checkbox"
                checked={full}
                onChange={(event) => setFull(event.target.checked)}
              />
              the larger run, which takes longer
            </label>
          </div>
        </div>
      )}
      {start.isError ? (
        <p className="field-error" role="alert">
          {messageOf(start.error)}
        </p>
      ) : null}
      <p className="job-end" aria-live="polite">
        {job && !active ? endOf(job, paper) : ''}
      </p>
    </section>
  );
}

function endOf(job: JobItem, paper: PaperDetail): string {
  if (job.state === 'cancelled') return 'The run was cancelled. Nothing was kept of it.';
  if (job.state === 'failed') return job.error?.message ?? 'The run failed.';
  if (job.result !== paper.latest?.id) return 'Finished. Reading the result…';
  return `Finished: the claim ${paper.latest?.holds ? 'holds' : 'does not hold'}.`;
}
