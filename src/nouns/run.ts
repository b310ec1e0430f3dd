/** What a running method is given beside its input, and what it may report. */

/** How far a run has come. `done` and `total` are in the same unit of work. */
export interface Progress {
  readonly done: number;
  readonly total: number;
  /** What is being worked on, for a person: "layer 3 of 12: attention". */
  readonly label: string;
  /** Live numbers worth watching, such as `{ loss: 2.31 }`. */
  readonly metrics?: Readonly<Record<string, number>>;
}

/** Finished pieces of a run that survive a crash, by key. Writes are atomic. */
export interface Checkpoint {
  read(key: string): Promise<Uint8Array | undefined>;
  write(key: string, bytes: Uint8Array): Promise<void>;
}

/** Everything a run may use from its surroundings. */
export interface RunContext {
  readonly seed: number;
  readonly threads: number;
  readonly signal: AbortSignal;
  readonly checkpoint: Checkpoint;
  progress(update: Progress): void;
}

/** A checkpoint that keeps its pieces in memory only. */
export function memoryCheckpoint(): Checkpoint {
  const pieces = new Map<string, Uint8Array>();
  return {
    read: async (key) => pieces.get(key)?.slice(),
    write: async (key, bytes) => {
      pieces.set(key, bytes.slice());
    },
  };
}

/** A context with defaults: seed 0, two threads, never cancelled, nothing reported. */
export function runContext(overrides: Partial<RunContext> = {}): RunContext {
  return {
    seed: 0,
    threads: 2,
    signal: new AbortController().signal,
    checkpoint: memoryCheckpoint(),
    progress: () => {},
    ...overrides,
  };
}
