/** Set up a comparison: task, inputs, rivals, budget. */

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { ApiFailure, postJson } from '../api/client.ts';
import { jobQuery, methodsQuery, resultQuery, tasksQuery } from '../api/queries.ts';
import type { ComparisonRequest, JobItem, MethodInfo, TaskInfo } from '../api/types.ts';
import {
  type ComparisonDraft,
  type DraftErrors,
  defaultEntries,
  errorsOf,
  placeOfArgument,
  readComparison,
  seedField,
  startComparison,
} from '../form/comparison-draft.ts';
import { readFields } from '../form/fields.ts';
import { RivalEntries } from '../form/rival-entries.tsx';
import { SchemaFields } from '../form/schema-fields.tsx';
import { Empty, Failure, messageOf } from '../parts/notice.tsx';
import { usePageTitle } from '../parts/page.ts';
import { SkeletonLines } from '../parts/skeleton.tsx';

const route = getRouteApi('/compare');

export function ComparePage() {
  const search = route.useSearch();
  const tasks = useQuery(tasksQuery());
  const methods = useQuery(methodsQuery());
  const earlier = useQuery({
    ...resultQuery(search.from ?? ''),
    enabled: search.from !== undefined,
  });
  usePageTitle('Compare');
  const error = tasks.error ?? methods.error;
  const waiting = search.from !== undefined && earlier.isPending;
  const request = earlier.data?.kind === 'comparison' ? earlier.data.request : undefined;
  return (
    <>
      <header className="page-head">
        <h1>Compare</h1>
        <p className="lead">
          Rivals get the same input and are measured the same way, on this machine.
        </p>
      </header>
      {error ? (
        <Failure
          error={error}
          retry={() => {
            tasks.refetch();
            methods.refetch();
          }}
        />
      ) : !tasks.data || !methods.data || waiting ? (
        <SkeletonLines lines={14} />
      ) : tasks.data.items.length === 0 ? (
        <Empty title="No task runs here yet" />
      ) : (
        <ComparisonForm
          tasks={tasks.data.items}
          methods={methods.data.items}
          earlier={request}
          wanted={search.task}
        />
      )}
    </>
  );
}

interface FormProps {
  readonly tasks: readonly TaskInfo[];
  readonly methods: readonly MethodInfo[];
  readonly earlier: ComparisonRequest | undefined;
  readonly wanted: string | undefined;
}

function ComparisonForm({ tasks, methods, earlier, wanted }: FormProps) {
  const navigate = useNavigate();
  const client = useQueryClient();
  const form = useRef<HTMLFormElement>(null);
  const [draft, setDraft] = useState<ComparisonDraft>(() => {
    const name = earlier?.task ?? wanted;
    const task = tasks.find((candidate) => candidate.name === name) ?? tasks[0]!;
    return startComparison(task, methods, earlier);
  });
  const [errors, setErrors] = useState<DraftErrors>({});
  const [attempts, setAttempts] = useState(0);
  const start = useMutation({
    mutationFn: (request: ComparisonRequest) =>
      postJson<JobItem>('/api/comparisons', request),
    onSuccess: (job) => {
      client.setQueryData(jobQuery(job.id).queryKey, job);
      client.invalidateQueries({ queryKey: ['jobs'] });
      navigate({ to: '/compare/$id', params: { id: job.id } });
    },
    onError: (error) => {
      const argument = error instanceof ApiFailure ? error.argument : undefined;
      const place = argument ? placeOfArgument(draft, argument) : null;
      if (!place) return;
      setErrors({ [place]: error.message });
      setAttempts((last) => last + 1);
    },
  });

  // After a refused attempt, the first wrong field is where the reader must go.
  useEffect(() => {
    if (attempts === 0) return;
    form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [attempts]);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const reading = readComparison(draft);
    setErrors(reading.errors);
    if (Object.keys(reading.errors).length > 0) setAttempts((last) => last + 1);
    else start.mutate(reading.request);
  };
  const ofTask = methods.filter((method) => method.task === draft.task.name);
  const wrong = Object.keys(errors).length;

  return (
    <form ref={form} className="form" noValidate onSubmit={submit}>
      <section aria-labelledby="task">
        <h2 id="task">Task</h2>
        {tasks.length > 1 ? (
          <div className="choices">
            {tasks.map((task) => (
              <label key={task.name} className="check">
                <input
                  type="radio"
                  name="task"
                  checked={task.name === draft.task.name}
                  onChange={() => {
                    setDraft(startComparison(task, methods));
                    setErrors({});
                  }}
                />
                {task.title}
              </label>
            ))}
          </div>
        ) : (
          <p className="only-task">{draft.task.title}</p>
        )}
        <p className="muted">{draft.task.summary}</p>
      </section>
      <section aria-labelledby="inputs">
        <h2 id="inputs">Your input</h2>
        <SchemaFields
          fields={[...readFields(draft.task.inputs), seedField]}
          draft={{ ...draft.inputs, seed: draft.seed }}
          errors={{
            ...errorsOf(errors, 'inputs'),
            ...(errors.seed ? { seed: errors.seed } : {}),
          }}
          onChange={(name, value) =>
            setDraft(
              name === 'seed'
                ? { ...draft, seed: String(value) }
                : { ...draft, inputs: { ...draft.inputs, [name]: value } },
            )
          }
        />
      </section>
      <section aria-labelledby="rivals">
        <h2 id="rivals">Rivals</h2>
        <RivalEntries
          entries={draft.entries}
          methods={ofTask}
          defaults={defaultEntries(draft.task, methods)}
          errors={errors}
          onChange={(entries) => setDraft({ ...draft, entries })}
        />
      </section>
      <section aria-labelledby="budget">
        <h2 id="budget">Budget</h2>
        <p className="muted">
          What the winner must keep to. Left empty, Assay weighs the metrics itself.
        </p>
        <SchemaFields
          fields={readFields(draft.task.budget)}
          draft={draft.budget}
          errors={errorsOf(errors, 'budget')}
          onChange={(name, value) =>
            setDraft({ ...draft, budget: { ...draft.budget, [name]: value } })
          }
        />
      </section>
      <div className="form-end">
        <button
          type="submit"
          className="button button-main"
          disabled={start.isPending || ofTask.length === 0}
        >
          {start.isPending ? 'Starting…' : 'Run the comparison'}
        </button>
        <p className="field-error" role="alert">
          {start.isError
            ? messageOf(start.error)
            : wrong > 0
              ? `${wrong === 1 ? 'One field needs' : `${wrong} fields need`} another look.`
              : ''}
        </p>
      </div>
    </form>
  );
}
