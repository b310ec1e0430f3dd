/** The tokenizer interface every loader returns. */

/** Turns text into token ids and back. */
export interface Tokenizer {
  encode(text: string): number[];
  decode(ids: readonly number[]): string;
  /** Bytes of `tokenizer.json`, to be copied beside an artifact; null where there is none. */
  readonly json: string | null;
  /** Texts of the files that belong to it (`tokenizer_config.json`, chat template), by name. */
  readonly files?: Readonly<Record<string, string>>;
}
