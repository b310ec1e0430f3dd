/** The reference of a method, written from its options schema. */

import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { methodQuery, taskQuery } from '../api/queries.ts';
import { readFields } from '../form/fields.ts';
import { Failure, isNotFound } from '../parts/notice.tsx';
import { OptionReference } from '../parts/option-reference.tsx';
import { usePageTitle } from '../parts/page.ts';
import { SkeletonPage } from '../parts/skeleton.tsx';
import { Snippet } from '../parts/snippet.tsx';
import { exampleCommand, programFor } from '../parts/snippets.ts';
import { NotFoundPage } from './not-found.tsx';

const route = getRouteApi('/methods/$name');

export function MethodPage() {
  const { name } = route.useParams();
  const { data: method, error, refetch } = useQuery(methodQuery(name));
  const { data: task } = useQuery({
    ...taskQuery(method?.task ?? ''),
    enabled: method !== undefined,
  });
  usePageTitle(method?.title);
  if (isNotFound(error)) return <NotFoundPage what={`There is no method “${name}”.`} />;
  if (error && !method) return <Failure error={error} retry={refetch} />;
  if (!method) return <SkeletonPage />;
  const fields = readFields(method.options);
  return (
    <>
      <header className="page-head">
        <p className="crumbs">
          <Link to="/methods">Methods</Link>
        </p>
        <h1>{method.title}</h1>
        <p className="lead">{method.summary}</p>
        <p className="facts">
          <code>{method.name}</code>
          {method.paper ? (
            <Link to="/papers/$slug" params={{ slug: method.paper }}>
              The paper
            </Link>
          ) : (
            <span>A baseline</span>
          )}
          <Link to="/compare" search={{ task: method.task }}>
            Compare
          </Link>
        </p>
      </header>
      <section aria-labelledby="options">
        <h2 id="options">Options</h2>
        <OptionReference fields={fields} />
      </section>
      {task ? (
        <section aria-labelledby="use">
          <h2 id="use">Use it</h2>
          <Snippet title="In a terminal" code={exampleCommand(method, task)} />
          <Snippet title="In TypeScript" code={programFor(method, task)} />
        </section>
      ) : null}
    </>
  );
}
