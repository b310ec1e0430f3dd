/** Flags that every command which runs something understands. */

import { availableParallelism } from 'node:os';
import { z } from 'zod';

export const outputFlags = z.object({
  json: z.boolean().default(false).describe('Print one JSON document and nothing else'),
  help: z.boolean().default(false).describe('Show this help'),
});

export const runFlags = z.object({
  seed: z.int().min(0).max(0xffffffff).default(0).describe('Seed of every random choice'),
  threads: z
    .int()
    .min(1)
    .max(256)
    .default(Math.min(availableParallelism(), 8))
    .describe('Threads to compute with'),
  ...outputFlags.shape,
});
