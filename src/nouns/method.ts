/** A method: one way to do a task. Its options schema is the one source for the CLI, the form and the docs. */

import type { z } from 'zod';
import type { RunContext } from './run.ts';

/** Options of a method: a flat Zod object whose every field has a default and a description. */
export type OptionsSchema = z.ZodObject;

/** What a run will need, computed before it starts. */
export interface Estimate {
  /** Wall-clock seconds on this machine, a guess within a factor of about two. */
  readonly seconds: number;
  /** Peak bytes of memory beyond the input. */
  readonly bytes: number;
}

export interface Method<
  Input = unknown,
  Output = unknown,
  Schema extends OptionsSchema = OptionsSchema,
> {
  /** Name on the command line, equal to the paper's slug where it has one: `awq`. */
  readonly name: string;
  /** Name of the task it does: `quantize`. */
  readonly task: string;
  /** Slug of the paper it implements; absent for a baseline. */
  readonly paper?: string;
  readonly title: string;
  /** One or two sentences for a person who chooses between rivals. */
  readonly summary: string;
  readonly options: Schema;
  /** What the run will need. Throws for an input or options it would refuse. */
  estimate(input: Input, options: z.output<Schema>): Estimate;
  /** Never changes its input; same seed, same bytes; honours `context.signal`. */
  run(input: Input, options: z.output<Schema>, context: RunContext): Promise<Output>;
}

/** A method with its types hidden, as the registry holds it. */
// biome-ignore lint/suspicious/noExplicitAny: the registry holds methods of every task
export type AnyMethod = Method<any, any, any>;

/** Gives the compiler the types of a method literal. */
export function defineMethod<Input, Output, Schema extends OptionsSchema>(
  method: Method<Input, Output, Schema>,
): Method<Input, Output, Schema> {
  return method;
}
