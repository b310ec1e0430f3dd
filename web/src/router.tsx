/** Addresses of the pages, and what each may carry in its query. */

import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
} from '@tanstack/react-router';
import { HomePage } from './pages/home.tsx';
import { Layout } from './pages/layout.tsx';
import { NotFoundPage } from './pages/not-found.tsx';
import { Failure } from './parts/notice.tsx';

const root = createRootRoute({
  component: Layout,
  notFoundComponent: () => <NotFoundPage />,
});

const getParentRoute = () => root;

const home = createRoute({
  getParentRoute,
  path: '/',
  component: HomePage,
  validateSearch: (search): { q?: string; room?: string; status?: 'runs' } => ({
    ...text('q', search.q),
    ...text('room', search.room),
    ...(search.status === 'runs' ? { status: 'runs' } : {}),
  }),
});

const paper = createRoute({
  getParentRoute,
  path: '/papers/$slug',
  component: lazyRouteComponent(() => import('./pages/paper.tsx'), 'PaperPage'),
});

const compare = createRoute({
  getParentRoute,
  path: '/compare',
  component: lazyRouteComponent(() => import('./pages/compare.tsx'), 'ComparePage'),
  validateSearch: (search): { task?: string; from?: string } => ({
    ...text('task', search.task),
    ...text('from', search.from),
  }),
});

const comparison = createRoute({
  getParentRoute,
  path: '/compare/$id',
  component: lazyRouteComponent(() => import('./pages/comparison.tsx'), 'ComparisonPage'),
});

const rooms = createRoute({
  getParentRoute,
  path: '/rooms',
  component: lazyRouteComponent(() => import('./pages/rooms.tsx'), 'RoomsPage'),
});

const room = createRoute({
  getParentRoute,
  path: '/rooms/$room',
  component: lazyRouteComponent(() => import('./pages/room.tsx'), 'RoomPage'),
});

const methods = createRoute({
  getParentRoute,
  path: '/methods',
  component: lazyRouteComponent(() => import('./pages/methods.tsx'), 'MethodsPage'),
});

const method = createRoute({
  getParentRoute,
  path: '/methods/$name',
  component: lazyRouteComponent(() => import('./pages/method.tsx'), 'MethodPage'),
});

const jobs = createRoute({
  getParentRoute,
  path: '/jobs',
  component: lazyRouteComponent(() => import('./pages/jobs.tsx'), 'JobsPage'),
});

export const router = createRouter({
  routeTree: root.addChildren([
    home,
    paper,
    compare,
    comparison,
    rooms,
    room,
    methods,
    method,
    jobs,
  ]),
  defaultPreload: 'intent',
  scrollRestoration: true,
  defaultErrorComponent: ({ error, reset }) => <Failure error={error} retry={reset} />,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}

/** A search parameter that is a text; anything else is dropped. */
function text<Name extends string>(
  name: Name,
  value: unknown,
): { [Key in Name]?: string } {
  const usable = typeof value === 'string' || typeof value === 'number';
  return (usable && value !== '' ? { [name]: String(value) } : {}) as {
    [Key in Name]?: string;
  };
}
