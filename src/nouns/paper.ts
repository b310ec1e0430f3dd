/** A paper of the catalog, read from `src/<room>/<slug>/paper.md`. */

import { z } from 'zod';

/** The 14 rooms, by what a user wants done, in the order they are shown. */
export const rooms = [
  'quantize',
  'prune',
  'tune',
  'merge',
  'select',
  'value',
  'search',
  'embed',
  'label',
  'shift',
  'continual',
  'federate',
  'predict',
  'architect',
] as const;

export type Room = (typeof rooms)[number];

export const paperSchema = z.strictObject({
  slug: z.string().regex(/^[a-z0-9-]+$/),
  title: z.string().min(1),
  authors: z.array(z.string().min(1)).min(1),
  date: z.iso.date(),
  arxiv: z.string().regex(/^\d{4}\.\d{4,5}$|^[a-z-]+\/\d{7}$/),
  venue: z.string().optional(),
  code: z.url().optional(),
  room: z.enum(rooms),
  /** What our implementation was held to, and what was not; only for papers that run. */
  verified: z.string().optional(),
  /** Own words, two to four sentences. */
  summary: z.string().min(1),
  /** The statement that Assay tests. */
  claim: z.string().min(1),
});

export type PaperEntry = z.output<typeof paperSchema>;

/** `runs`: a method of this paper is implemented here; `spec`: it is described, not yet built. */
export type PaperStatus = 'runs' | 'spec';

export interface Paper extends PaperEntry {
  readonly status: PaperStatus;
}
