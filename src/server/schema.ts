/** Zod schemas of every request and response of the HTTP API: the one source for validation, types and OpenAPI. */

import { z } from 'zod';
import { paperSchema, rooms } from '../nouns/paper.ts';

const moment = z.iso.datetime().describe('Moment in UTC, ISO 8601.');
const jsonObject = z.record(z.string(), z.unknown());
const jsonSchema = jsonObject.describe('A JSON Schema (draft 2020-12) of a flat object.');
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const numbers = z.record(z.string(), z.number());

/** Result identifiers are the SHA-256 of the stored file, in lower-case hexadecimal. */
export const resultId = digest.describe('SHA-256 of the stored result.');

export const paperStatusSchema = z.enum(['runs', 'spec']);

export const verdictSchema = z.object({
  holds: z.boolean(),
  result: resultId,
  finishedAt: moment,
});

export const paperItemSchema = z.object({
  ...paperSchema.shape,
  venue: z.string().nullable(),
  code: z.string().nullable(),
  verified: z.string().nullable(),
  status: paperStatusSchema,
  verdict: verdictSchema
    .nullable()
    .describe('The latest run of its claim on this machine.'),
});

export const paperQuerySchema = z.object({
  q: z.string().max(200).default('').describe('Words of the title, authors or summary.'),
  room: z.enum(rooms).optional(),
  status: paperStatusSchema.optional(),
  sort: z
    .enum(['date'])
    .optional()
    .describe('Newest first; without it, best match first.'),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(400).optional().describe('`next` of the page before.'),
});

export const paperListSchema = z.object({
  items: z.array(paperItemSchema),
  next: z.string().nullable().describe('Cursor of the next page; null on the last one.'),
});

export const methodInfoSchema = z.object({
  name: z.string(),
  task: z.string(),
  paper: z.string().nullable(),
  status: z.literal('runs'),
  title: z.string(),
  summary: z.string(),
  options: jsonSchema,
});

export const claimRowSchema = z.object({
  method: z.string(),
  dataset: z.string(),
  seed: z.number(),
  metric: z.string(),
  value: z.number(),
});

export const gateSchema = z.object({
  statement: z.string(),
  holds: z.boolean(),
  measured: z.string(),
});

export const claimSummarySchema = z.object({
  method: z.string(),
  dataset: z.string(),
  metric: z.string(),
  mean: z.number(),
  std: z.number(),
});

export const claimResultSchema = z.object({
  paper: z.string(),
  statement: z.string(),
  holds: z.boolean(),
  rows: z.array(claimRowSchema),
  gates: z.array(gateSchema),
  notes: z.array(z.string()),
  summary: z.array(claimSummarySchema),
  seconds: z.number(),
});

export const experimentSchema = z.object({
  statement: z.string(),
  seconds: z.number().describe('Seconds of the default size on two cores.'),
  seeds: z.array(z.number()),
});

export const paperDetailSchema = paperItemSchema.extend({
  methods: z.array(methodInfoSchema).describe('Methods that implement this paper.'),
  rivals: z.array(methodInfoSchema).describe('Other methods of the same tasks.'),
  experiment: experimentSchema.nullable(),
  latest: claimResultSchema.extend({ id: resultId, finishedAt: moment }).nullable(),
});

export const roomListSchema = z.object({
  items: z.array(
    z.object({
      room: z.enum(rooms),
      title: z.string(),
      summary: z.string(),
      papers: z.number().int(),
      runs: z.number().int(),
    }),
  ),
});

export const methodListSchema = z.object({ items: z.array(methodInfoSchema) });

export const metricSchema = z.object({
  name: z.string(),
  title: z.string(),
  unit: z.string(),
  better: z.enum(['lower', 'higher']),
  digits: z.number().int(),
  description: z.string(),
});

export const candidateSchema = z.object({
  method: z.string().min(1),
  options: jsonObject.default({}),
});

export const taskInfoSchema = z.object({
  name: z.string(),
  room: z.string(),
  title: z.string(),
  summary: z.string(),
  inputs: jsonSchema,
  budget: jsonSchema,
  metrics: z.array(metricSchema),
  plot: z.object({ x: z.string(), y: z.string() }),
  methods: z.array(z.string()).describe('Names of the methods of this task.'),
  candidates: z
    .array(candidateSchema)
    .describe('Each method with its default options, to start a form from.'),
  formats: z.array(z.string()).describe('File formats an artifact can be written in.'),
});

export const taskListSchema = z.object({ items: z.array(taskInfoSchema) });

export const comparisonRowSchema = z.object({
  method: z.string().describe('`reference` is the untouched input.'),
  options: jsonObject,
  paper: z.string().nullable(),
  metrics: numbers,
  seconds: z.number(),
  peakBytes: z.number(),
  error: z
    .string()
    .optional()
    .describe('Set, with empty metrics, when the rival failed.'),
});

export const recommendationSchema = z.object({
  method: z.string(),
  options: jsonObject,
  reason: z.string(),
});

export const comparisonResultSchema = z.object({
  task: z.string(),
  inputs: jsonObject,
  rows: z.array(comparisonRowSchema),
  recommendation: recommendationSchema.nullable(),
});

export const recipeSchema = z.object({
  task: z.string(),
  method: z.string(),
  options: jsonObject,
  inputs: jsonObject,
  hashes: z.record(z.string(), z.string()),
  seed: z.number(),
  version: z.string(),
});

export const artifactFileSchema = z.object({
  name: z.string(),
  bytes: z.number().int(),
  sha256: digest,
});

export const artifactResultSchema = z.object({
  task: z.string(),
  method: z.string(),
  options: jsonObject,
  files: z.array(artifactFileSchema),
  recipe: recipeSchema,
  seconds: z.number(),
  peakBytes: z.number(),
});

const seedField = z.number().int().min(0).max(0xffffffff).optional();

export const comparisonRequestSchema = z.strictObject({
  task: z.string().min(1),
  inputs: jsonObject.default({}),
  candidates: z
    .array(candidateSchema)
    .min(1)
    .max(100)
    .optional()
    .describe('Rivals; the default rivals of the task when absent.'),
  budget: jsonObject.optional(),
  seed: seedField,
});

export const claimRequestSchema = z.strictObject({
  paper: z.string().min(1),
  full: z.boolean().optional().describe('The larger run.'),
  seeds: z.array(z.number().int().min(0)).min(1).max(100).optional(),
});

export const artifactRequestSchema = z.strictObject({
  task: z.string().min(1),
  inputs: jsonObject.default({}),
  method: z.string().min(1),
  options: jsonObject.default({}),
  seed: seedField,
  formats: z.array(z.string().min(1)).min(1).max(20).optional(),
});

export const progressSchema = z.object({
  done: z.number(),
  total: z.number(),
  label: z.string(),
  metrics: numbers.optional(),
  secondsLeft: z.number().nullable(),
});

export const errorDetailSchema = z.object({
  code: z.enum([
    'invalid-input',
    'invalid-file',
    'not-found',
    'unsupported',
    'cancelled',
    'busy',
    'cannot-fit',
    'environment',
    'forbidden',
    'too-large',
    'internal',
  ]),
  message: z.string().describe('One sentence for a person that says what to do next.'),
  argument: z.string().optional().describe('Name of the field that is wrong.'),
});

export const errorSchema = z.object({ error: errorDetailSchema });

export const jobKindSchema = z.enum(['comparison', 'claim', 'artifact']);

export const jobStateSchema = z.enum([
  'queued',
  'running',
  'done',
  'failed',
  'cancelled',
]);

const jobFields = {
  id: z.uuid(),
  title: z.string(),
  state: jobStateSchema,
  progress: progressSchema.nullable(),
  rows: z.array(comparisonRowSchema).describe('Rows of a comparison as they arrive.'),
  result: resultId.nullable(),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  createdAt: moment,
  startedAt: moment.nullable(),
  finishedAt: moment.nullable(),
};

export const jobSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('comparison'),
    request: comparisonRequestSchema,
    ...jobFields,
  }),
  z.object({ kind: z.literal('claim'), request: claimRequestSchema, ...jobFields }),
  z.object({ kind: z.literal('artifact'), request: artifactRequestSchema, ...jobFields }),
]);

export const jobListSchema = z.object({ items: z.array(jobSchema) });

export const machineSchema = z.object({
  cpu: z.string(),
  cores: z.number().int(),
  memoryBytes: z.number(),
  os: z.string(),
});

const storedFields = {
  id: resultId,
  fingerprint: digest.describe('Hash of everything that decides the result.'),
  title: z.string(),
  hashes: z.record(z.string(), z.string()).describe('SHA-256 of each input, by name.'),
  seed: z.number(),
  versions: z.record(z.string(), z.string()),
  machine: machineSchema,
  startedAt: moment,
  finishedAt: moment,
  seconds: z.number(),
};

export const storedComparisonSchema = z.object({
  kind: z.literal('comparison'),
  request: comparisonRequestSchema,
  result: comparisonResultSchema,
  ...storedFields,
});

export const storedResultSchema = z.discriminatedUnion('kind', [
  storedComparisonSchema,
  z.object({
    kind: z.literal('claim'),
    request: claimRequestSchema,
    result: claimResultSchema,
    ...storedFields,
  }),
  z.object({
    kind: z.literal('artifact'),
    request: artifactRequestSchema,
    result: artifactResultSchema,
    ...storedFields,
  }),
]);

export const latestComparisonSchema = storedComparisonSchema.nullable();

export const resultQuerySchema = z.object({
  kind: jobKindSchema.optional(),
  task: z.string().optional(),
  paper: z.string().optional(),
});

export const latestQuerySchema = z.object({ task: z.string().optional() });

export const resultItemSchema = z.object({
  id: resultId,
  kind: jobKindSchema,
  title: z.string(),
  task: z.string().nullable(),
  paper: z.string().nullable(),
  method: z.string().nullable(),
  holds: z.boolean().nullable(),
  finishedAt: moment,
  seconds: z.number(),
});

export const resultListSchema = z.object({ items: z.array(resultItemSchema) });

export const artifactSchema = z.object({
  id: resultId,
  files: z.array(artifactFileSchema),
  recipe: recipeSchema,
});

export const healthSchema = z.object({
  version: z.string(),
  pid: z.number().int().describe('Process that owns the data directory.'),
  database: z.enum(['opening', 'ready', 'failed']),
});

export type PaperItem = z.output<typeof paperItemSchema>;
export type PaperList = z.output<typeof paperListSchema>;
export type PaperDetail = z.output<typeof paperDetailSchema>;
export type PaperQuery = z.output<typeof paperQuerySchema>;
export type RoomList = z.output<typeof roomListSchema>;
export type MethodInfo = z.output<typeof methodInfoSchema>;
export type MethodList = z.output<typeof methodListSchema>;
export type TaskInfo = z.output<typeof taskInfoSchema>;
export type TaskList = z.output<typeof taskListSchema>;
export type ComparisonRequest = z.output<typeof comparisonRequestSchema>;
export type ClaimRequest = z.output<typeof claimRequestSchema>;
export type ArtifactRequest = z.output<typeof artifactRequestSchema>;
export type JobItem = z.output<typeof jobSchema>;
export type JobList = z.output<typeof jobListSchema>;
export type StoredComparisonItem = z.output<typeof storedComparisonSchema>;
export type StoredResultItem = z.output<typeof storedResultSchema>;
export type ResultItem = z.output<typeof resultItemSchema>;
export type ResultList = z.output<typeof resultListSchema>;
export type ArtifactItem = z.output<typeof artifactSchema>;
export type ApiError = z.output<typeof errorSchema>;
export type Health = z.output<typeof healthSchema>;
