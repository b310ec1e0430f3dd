/** A task: the contract rivals share. It alone yields the comparison, its table, plot and recommendation. */

import type { z } from 'zod';
import type { OptionsSchema } from './method.ts';
import type { RunContext } from './run.ts';

/** A number measured on the output of a method. */
export interface Metric {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  /** Digits after the point when shown. */
  readonly digits: number;
  readonly description: string;
}

/** One rival in a comparison: a method by name and the options it is given. */
export interface Candidate {
  readonly method: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** A measured rival. `error` is set, and `metrics` empty, when it failed. */
export interface ComparisonRow extends Candidate {
  /** Slug of the paper, or null for a baseline. */
  readonly paper: string | null;
  readonly metrics: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly peakBytes: number;
  readonly error?: string;
}

export interface Recommendation extends Candidate {
  readonly reason: string;
}

/** A way to write an artifact: `gguf`, for llama.cpp. */
export interface ArtifactFormat {
  readonly name: string;
  readonly title: string;
  readonly description: string;
}

/** Tiny input for the contract suite, and ways to spoil it that every method must refuse. */
export interface TaskSample<Input> {
  readonly input: Input;
  readonly spoiled: readonly {
    readonly name: string;
    readonly input: Input;
    /** Words that the error message must contain. */
    readonly mentions: readonly string[];
  }[];
}

export interface Task<
  Input = unknown,
  Output = unknown,
  Inputs extends OptionsSchema = OptionsSchema,
  Budget extends OptionsSchema = OptionsSchema,
> {
  readonly name: string;
  readonly room: string;
  readonly title: string;
  readonly summary: string;
  /** What the user points at (paths, texts): flags of the verb and fields of the form. */
  readonly inputs: Inputs;
  /** What the user can ask of the winner: `maxSize`, `maxPerplexityIncrease`. */
  readonly budget: Budget;
  readonly metrics: readonly Metric[];
  /** Metrics on the axes of the plot. */
  readonly plot: { readonly x: string; readonly y: string };
  /** File formats that `write` can produce; the first is the default and is read by `read`. */
  readonly formats: readonly ArtifactFormat[];
  /** Opens the user's files. */
  load(inputs: z.output<Inputs>, context: RunContext): Promise<Input>;
  /**
   * SHA-256 of what was really opened, by name of the input. Needed where a value alone does
   * not name its content, such as a default; paths are hashed without it.
   */
  hashes?(input: Input): Readonly<Record<string, string>>;
  /** Rivals of a default comparison, the untouched input not included. */
  candidates(input: Input): readonly Candidate[];
  /** Measures an output, or the untouched input when `output` is undefined (the reference row). */
  evaluate(
    input: Input,
    output: Output | undefined,
    context: RunContext,
  ): Promise<Record<string, number>>;
  recommend(
    rows: readonly ComparisonRow[],
    budget: z.output<Budget>,
  ): Recommendation | null;
  /** Writes the artifact, its recipe and its card into a directory, atomically; returns the files' names. */
  write(
    output: Output,
    directory: string,
    recipe: Recipe,
    formats: readonly string[],
    context: RunContext,
  ): Promise<readonly string[]>;
  /** Reads back what `write` wrote. */
  read(directory: string): Promise<Output>;
  /** Bytes that identify an output: equal outputs, equal digests. */
  digest(output: Output): string;
  sample(seed: number): Promise<TaskSample<Input>>;
}

/** Everything needed to make the artifact again. Written beside it. */
export interface Recipe {
  readonly task: string;
  readonly method: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly inputs: Readonly<Record<string, unknown>>;
  /** SHA-256 of each input, by name. */
  readonly hashes: Readonly<Record<string, string>>;
  readonly seed: number;
  readonly version: string;
}

/** A task with its types hidden, as the registry holds it. */
// biome-ignore lint/suspicious/noExplicitAny: the registry holds every task
export type AnyTask = Task<any, any, any, any>;

/** Gives the compiler the types of a task literal. */
export function defineTask<
  Input,
  Output,
  Inputs extends OptionsSchema,
  Budget extends OptionsSchema,
>(task: Task<Input, Output, Inputs, Budget>): Task<Input, Output, Inputs, Budget> {
  return task;
}
