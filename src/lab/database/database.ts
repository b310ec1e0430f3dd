/** One interface over the embedded PostgreSQL and a server, so that the same SQL serves both. */

export type Row = Readonly<Record<string, unknown>>;

export interface Queryable {
  /** One statement with `$1` parameters. */
  query<R extends Row = Row>(
    sql: string,
    parameters?: readonly unknown[],
  ): Promise<{ readonly rows: R[] }>;
  /** Any number of statements without parameters; rows of all of them. */
  execute(sql: string): Promise<{ readonly rows: Row[] }>;
}

export interface Database extends Queryable {
  readonly engine: 'pglite' | 'postgres';
  /** Commits when `work` returns and rolls back when it throws. Do not use the database itself inside. */
  transaction<T>(work: (transaction: Queryable) => Promise<T>): Promise<T>;
  /** Waits for what has been asked for, then closes. */
  close(): Promise<void>;
}
