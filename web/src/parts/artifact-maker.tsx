/** Makes the files of a chosen rival and offers them for download. */

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { postJson } from '../api/client.ts';
import { useLiveJob } from '../api/live-job.ts';
import { artifactQuery, isActive, jobsQuery, methodQuery } from '../api/queries.ts';
import type {
  ArtifactRequest,
  ComparisonRow,
  JobItem,
  JobOf,
  Options,
  TaskInfo,
} from '../api/types.ts';
import { formatBytes, formatOptions } from './format.ts';
import { Icon } from './icon.tsx';
import { JobProgress } from './job-progress.tsx';
import { messageOf } from './notice.tsx';
import { rowKey } from './rows.ts';
import { Snippet } from './snippet.tsx';
import { artifactCommand } from './snippets.ts';

interface Props {
  readonly row: ComparisonRow;
  readonly task: TaskInfo;
  readonly inputs: Options;
  readonly seed: number | undefined;
}

export function ArtifactMaker({ row, task, inputs, seed }: Props) {
  const client = useQueryClient();
  const [formats, setFormats] = useState<readonly string[]>(task.formats.slice(0, 1));
  const method = useQuery(methodQuery(row.method));
  const jobs = useQuery(jobsQuery());
  const make = useMutation({
    mutationFn: () =>
      postJson<JobItem>('/api/artifacts', {
        task: task.name,
        inputs,
        method: row.method,
        options: row.options,
        ...(seed === undefined ? {} : { seed }),
        formats: [...formats],
      } satisfies ArtifactRequest),
    onSuccess: () => client.invalidateQueries({ queryKey: ['jobs'] }),
  });
  const earlier = jobs.data?.items.find((job) => makes(job, row, inputs));
  const live = useLiveJob(make.data?.id ?? earlier?.id);
  const job = live.data ?? make.data ?? earlier;
  const busy = make.isPending || (job !== undefined && isActive(job));

  const toggle = (format: string) =>
    setFormats((last) =>
      last.includes(format) ? last.filter((one) => one !== format) : [...last, format],
    );
  return (
    <div className="maker">
      <p className="muted">{formatOptions(row.options)}</p>
      {method.data ? (
        <Snippet
          title="In a terminal"
          code={artifactCommand(task, method.data, {
            options: row.options,
            inputs,
            formats,
            seed,
          })}
        />
      ) : null}
      <form
        className="maker-form"
        onSubmit={(event) => {
          event.preventDefault();
          make.mutate();
        }}
      >
        {task.formats.length > 1 ? (
          <fieldset className="choices">
            <legend>Formats</legend>
            {task.formats.map((format) => (
              <label key={format} className="check">
                <input
                  type="checkbox"
                  checked={formats.includes(format)}
                  onChange={() => toggle(format)}
                />
                {format}
              </label>
            ))}
          </fieldset>
        ) : null}
        <button
          type="submit"
          className="button"
          disabled={busy || (formats.length === 0 && task.formats.length > 0)}
        >
          Make the artifact
        </button>
      </form>
      {make.isError ? (
        <p className="field-error" role="alert">
          {messageOf(make.error)}
        </p>
      ) : null}
      {job ? <ArtifactState job={job} /> : null}
    </div>
  );
}

function ArtifactState({ job }: { readonly job: JobItem }) {
  if (isActive(job)) return <JobProgress job={job} />;
  if (job.state === 'done' && job.result) return <ArtifactFiles id={job.result} />;
  return (
    <p className="field-error" role="alert">
      {job.state === 'cancelled' ? 'Cancelled.' : (job.error?.message ?? 'It failed.')}
    </p>
  );
}

/** The files of a finished artifact. */
export function ArtifactFiles({ id }: { readonly id: string }) {
  const { data, error } = useQuery(artifactQuery(id));
  if (error) return <p className="field-error">{messageOf(error)}</p>;
  if (!data) return <p className="muted">Listing the files…</p>;
  return (
    <div aria-live="polite">
      <p className="files-title">Ready to download</p>
      <ul className="files">
        {data.files.map((file) => (
          <li key={file.name}>
            <a
              href={`/api/artifacts/${id}/files/${file.name.split('/').map(encodeURIComponent).join('/')}`}
              download={file.name.split('/').at(-1)}
            >
              <Icon name="download" /> {file.name}
            </a>
            <span className="file-size">{formatBytes(file.bytes)}</span>
            <code className="file-hash" title={`SHA-256 ${file.sha256}`}>
              {file.sha256.slice(0, 12)}
            </code>
          </li>
        ))}
      </ul>
    </div>
  );
}

function makes(
  job: JobItem,
  row: ComparisonRow,
  inputs: Options,
): job is JobOf<'artifact'> {
  return (
    job.kind === 'artifact' &&
    (isActive(job) || job.state === 'done') &&
    rowKey(job.request) === rowKey(row) &&
    JSON.stringify(job.request.inputs) === JSON.stringify(inputs)
  );
}
