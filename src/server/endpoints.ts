/** Every endpoint of the API with its schemas: the table that the OpenAPI document is made from. */

import type { z } from 'zod';
import * as schema from './schema.ts';

export interface Endpoint {
  readonly method: 'get' | 'post';
  /** With `:name` parameters. */
  readonly path: string;
  readonly summary: string;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly status: 200 | 202;
  /** A schema for JSON, a media type for anything else. */
  readonly response: z.ZodType | string;
}

export const endpoints: readonly Endpoint[] = [
  {
    method: 'get',
    path: '/api/papers',
    summary: 'Papers by date or, with words, by match.',
    query: schema.paperQuerySchema,
    status: 200,
    response: schema.paperListSchema,
  },
  {
    method: 'get',
    path: '/api/papers/:slug',
    summary: 'A paper with its methods, rivals, experiment and latest result.',
    status: 200,
    response: schema.paperDetailSchema,
  },
  {
    method: 'get',
    path: '/api/rooms',
    summary: 'The rooms with their numbers of papers.',
    status: 200,
    response: schema.roomListSchema,
  },
  {
    method: 'get',
    path: '/api/methods',
    summary: 'All methods that run.',
    status: 200,
    response: schema.methodListSchema,
  },
  {
    method: 'get',
    path: '/api/methods/:name',
    summary: 'A method with the schema of its options.',
    status: 200,
    response: schema.methodInfoSchema,
  },
  {
    method: 'get',
    path: '/api/tasks',
    summary: 'All tasks.',
    status: 200,
    response: schema.taskListSchema,
  },
  {
    method: 'get',
    path: '/api/tasks/:name',
    summary: 'A task with its inputs, budget, metrics and methods.',
    status: 200,
    response: schema.taskInfoSchema,
  },
  {
    method: 'post',
    path: '/api/comparisons',
    summary: 'Compare rivals of a task on your input.',
    body: schema.comparisonRequestSchema,
    status: 202,
    response: schema.jobSchema,
  },
  {
    method: 'get',
    path: '/api/comparisons/latest',
    summary: 'The latest stored comparison, or null.',
    query: schema.latestQuerySchema,
    status: 200,
    response: schema.latestComparisonSchema,
  },
  {
    method: 'post',
    path: '/api/claims',
    summary: 'Run the claim of a paper.',
    body: schema.claimRequestSchema,
    status: 202,
    response: schema.jobSchema,
  },
  {
    method: 'post',
    path: '/api/artifacts',
    summary: 'Apply one method and write the artifact.',
    body: schema.artifactRequestSchema,
    status: 202,
    response: schema.jobSchema,
  },
  {
    method: 'get',
    path: '/api/artifacts/:id',
    summary: 'Files and recipe of an artifact.',
    status: 200,
    response: schema.artifactSchema,
  },
  {
    method: 'get',
    path: '/api/artifacts/:id/files/:name',
    summary: 'Download a file of an artifact.',
    status: 200,
    response: 'application/octet-stream',
  },
  {
    method: 'get',
    path: '/api/jobs',
    summary: 'Jobs, newest first.',
    status: 200,
    response: schema.jobListSchema,
  },
  {
    method: 'get',
    path: '/api/jobs/:id',
    summary: 'A job.',
    status: 200,
    response: schema.jobSchema,
  },
  {
    method: 'post',
    path: '/api/jobs/:id/cancel',
    summary: 'Stop a job; a finished one stays as it is.',
    status: 200,
    response: schema.jobSchema,
  },
  {
    method: 'get',
    path: '/api/jobs/:id/events',
    summary: 'Server-sent events named `job`: the state at once, then every change.',
    status: 200,
    response: 'text/event-stream',
  },
  {
    method: 'get',
    path: '/api/results',
    summary: 'Stored results, newest first.',
    query: schema.resultQuerySchema,
    status: 200,
    response: schema.resultListSchema,
  },
  {
    method: 'get',
    path: '/api/results/:id',
    summary: 'A stored result with everything needed to make it again.',
    status: 200,
    response: schema.storedResultSchema,
  },
  {
    method: 'get',
    path: '/api/results/:id/plot.svg',
    summary: 'The plot of a stored comparison.',
    status: 200,
    response: 'image/svg+xml',
  },
  {
    method: 'get',
    path: '/api/health',
    summary: 'Version, owner process and state of the database.',
    status: 200,
    response: schema.healthSchema,
  },
];
