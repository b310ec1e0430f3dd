/** Every method that runs here. */

import { useQuery } from '@tanstack/react-query';
import { methodsQuery, tasksQuery } from '../api/queries.ts';
import { MethodList } from '../parts/method-list.tsx';
import { Empty, Failure } from '../parts/notice.tsx';
import { usePageTitle } from '../parts/page.ts';
import { SkeletonLines } from '../parts/skeleton.tsx';

export function MethodsPage() {
  const methods = useQuery(methodsQuery());
  const tasks = useQuery(tasksQuery());
  usePageTitle('Methods');
  const names = [...new Set(methods.data?.items.map((method) => method.task))];
  return (
    <>
      <header className="page-head">
        <h1>Methods</h1>
        <p className="lead">Everything that runs here, by task.</p>
      </header>
      {methods.isError && !methods.data ? (
        <Failure error={methods.error} retry={() => methods.refetch()} />
      ) : null}
      {methods.isPending ? <SkeletonLines lines={12} /> : null}
      {methods.data?.items.length === 0 ? (
        <Empty title="No method runs here yet" />
      ) : null}
      {names.map((name) => (
        <section key={name} aria-labelledby={`task-${name}`}>
          <h2 id={`task-${name}`}>
            {tasks.data?.items.find((task) => task.name === name)?.title ?? name}
          </h2>
          <MethodList
            methods={methods.data?.items.filter((method) => method.task === name) ?? []}
          />
        </section>
      ))}
    </>
  );
}
