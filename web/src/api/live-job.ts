/** A job as it happens: server-sent events, with polling where these do not get through. */

import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { postJson } from './client.ts';
import { isActive, jobQuery } from './queries.ts';
import type { JobItem } from './types.ts';

/** Follows a job until it ends; the other queries that it changes are then asked again. */
export function useLiveJob(id: string | undefined) {
  const client = useQueryClient();
  const [polling, setPolling] = useState(false);
  const query = useQuery({
    ...jobQuery(id ?? ''),
    enabled: id !== undefined,
    refetchInterval: polling ? 1500 : false,
  });
  const active = query.data ? isActive(query.data) : undefined;

  useEffect(() => {
    if (id === undefined || active !== true) return;
    setPolling(false);
    const source = new EventSource(`/api/jobs/${encodeURIComponent(id)}/events`);
    source.addEventListener('job', (event) => {
      const job = JSON.parse((event as MessageEvent<string>).data) as JobItem;
      client.setQueryData(jobQuery(id).queryKey, job);
      if (!isActive(job)) source.close();
    });
    // The browser reconnects by itself unless the stream was refused for good.
    source.addEventListener('error', () => {
      if (source.readyState === EventSource.CLOSED) setPolling(true);
    });
    return () => {
      source.close();
      for (const key of changedByJobs) client.invalidateQueries({ queryKey: [key] });
    };
  }, [id, active, client]);

  return query;
}

const changedByJobs = ['jobs', 'paper', 'papers', 'latest-comparison'];

/** Cancels a job. */
export function useCancelJob() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => postJson<JobItem>(`/api/jobs/${id}/cancel`),
    onSuccess: (_, id) => {
      client.invalidateQueries({ queryKey: ['job', id] });
      client.invalidateQueries({ queryKey: ['jobs'] });
    },
  });
}
