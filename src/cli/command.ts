/** What a command of the command line is. */

import type { Terminal } from './terminal.ts';

export interface CommandSurroundings {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

/** Runs with the arguments after its name; returns the exit code. */
export type Command = (
  args: readonly string[],
  surroundings: CommandSurroundings,
) => Promise<number>;

export interface CommandEntry {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  load(): Promise<Command>;
}
