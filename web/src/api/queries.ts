/** What the pages read from the server, one query each. */

import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { getJson } from './client.ts';
import type {
  ArtifactItem,
  Health,
  JobItem,
  JobList,
  MethodInfo,
  MethodList,
  PaperDetail,
  PaperList,
  RoomList,
  StoredComparisonItem,
  StoredResultItem,
  TaskInfo,
  TaskList,
} from './types.ts';

export interface PaperFilter {
  readonly q?: string | undefined;
  readonly room?: string | undefined;
  readonly status?: string | undefined;
}

const pageSize = 25;

/** Pages of papers: newest first, or best match first when words are given. */
export function papersQuery(filter: PaperFilter) {
  return infiniteQueryOptions({
    queryKey: ['papers', filter],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => {
      const search = new URLSearchParams({ limit: String(pageSize) });
      if (filter.q) search.set('q', filter.q);
      else search.set('sort', 'date');
      if (filter.room) search.set('room', filter.room);
      if (filter.status) search.set('status', filter.status);
      if (pageParam) search.set('cursor', pageParam);
      return getJson<PaperList>(`/api/papers?${search}`, signal);
    },
    getNextPageParam: (page) => page.next,
  });
}

function resource<Result>(key: readonly string[], path: string) {
  return queryOptions({
    queryKey: key,
    queryFn: ({ signal }) => getJson<Result>(path, signal),
  });
}

const part = encodeURIComponent;

export const paperQuery = (slug: string) =>
  resource<PaperDetail>(['paper', slug], `/api/papers/${part(slug)}`);

export const roomsQuery = () => resource<RoomList>(['rooms'], '/api/rooms');

export const methodsQuery = () => resource<MethodList>(['methods'], '/api/methods');

export const methodQuery = (name: string) =>
  resource<MethodInfo>(['method', name], `/api/methods/${part(name)}`);

export const tasksQuery = () => resource<TaskList>(['tasks'], '/api/tasks');

export const taskQuery = (name: string) =>
  resource<TaskInfo>(['task', name], `/api/tasks/${part(name)}`);

export const jobQuery = (id: string) =>
  resource<JobItem>(['job', id], `/api/jobs/${part(id)}`);

export const resultQuery = (id: string) =>
  queryOptions({
    ...resource<StoredResultItem>(['result', id], `/api/results/${part(id)}`),
    // Results are named by their content: they never change.
    staleTime: Number.POSITIVE_INFINITY,
  });

export const artifactQuery = (id: string) =>
  queryOptions({
    ...resource<ArtifactItem>(['artifact', id], `/api/artifacts/${part(id)}`),
    staleTime: Number.POSITIVE_INFINITY,
  });

export const latestComparisonQuery = () =>
  resource<StoredComparisonItem | null>(['latest-comparison'], '/api/comparisons/latest');

export const healthQuery = () =>
  queryOptions({
    ...resource<Health>(['health'], '/api/health'),
    staleTime: Number.POSITIVE_INFINITY,
  });

/** All jobs; asked for again often while one is active, else now and then. */
export const jobsQuery = () =>
  queryOptions({
    ...resource<JobList>(['jobs'], '/api/jobs'),
    refetchInterval: (query) =>
      query.state.data?.items.some((job) => isActive(job)) ? 2000 : 15_000,
  });

/** Whether a job is waiting or at work. */
export function isActive(job: Pick<JobItem, 'state'>): boolean {
  return job.state === 'queued' || job.state === 'running';
}
