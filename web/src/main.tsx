/** Starts the front end. */

import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiFailure } from './api/client.ts';
import { router } from './router.tsx';
import './style/index.css';

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      // What the server refused, it will refuse again; lost connections and faults may heal.
      retry: (failures, error) => failures < 2 && mayHeal(error),
      retryOnMount: (query) => mayHeal(query.state.error),
      refetchOnWindowFocus: (query) =>
        query.state.error === null || mayHeal(query.state.error),
    },
  },
});

function mayHeal(error: unknown): boolean {
  return error instanceof ApiFailure && (error.status === 0 || error.status >= 500);
}

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <RouterProvider router={router} />
    </QueryClientProvider>
  </StrictMode>,
);
