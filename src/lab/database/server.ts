/** PostgreSQL on a server, named by `DATABASE_URL`. */

import pg from 'pg';
import { AssayError } from '../../error.ts';
import type { Database, Queryable, Row } from './database.ts';

const oldestMajor = 15;

/** Connects and checks the version. Throws `environment` when the server cannot serve. */
export async function openServer(url: string): Promise<Database> {
  const pool = new pg.Pool({
    connectionString: url,
    max: 5,
    connectionTimeoutMillis: 10_000,
    application_name: 'assay',
  });
  // A connection that breaks while idle is replaced by the pool.
  pool.on('error', () => {});
  const through = queryableOf((sql, parameters) =>
    parameters ? pool.query(sql, [...parameters]) : pool.query(sql),
  );
  try {
    const { rows } = await through.query<{ version: number }>(
      `select current_setting('server_version_num')::int as version`,
    );
    const major = Math.floor((rows[0]?.version ?? 0) / 10_000);
    if (major < oldestMajor) {
      throw new Error(`it is PostgreSQL ${major}; ${oldestMajor} or newer is needed`);
    }
  } catch (error) {
    await pool.end().catch(() => {});
    const reason = error instanceof Error ? error.message || error.name : String(error);
    throw new AssayError(
      'environment',
      `cannot use the database of DATABASE_URL: ${reason}`,
      { cause: error },
    );
  }
  return {
    engine: 'postgres',
    ...through,
    async transaction(work) {
      const client = await pool.connect();
      let broken = false;
      try {
        await client.query('begin');
        const value = await work(
          queryableOf((sql, parameters) =>
            parameters ? client.query(sql, [...parameters]) : client.query(sql),
          ),
        );
        await client.query('commit');
        return value;
      } catch (error) {
        await client.query('rollback').catch(() => {
          broken = true;
        });
        throw error;
      } finally {
        client.release(broken);
      }
    },
    close: () => pool.end(),
  };
}

type Send = (
  sql: string,
  parameters?: readonly unknown[],
) => Promise<pg.QueryResult | pg.QueryResult[]>;

function queryableOf(send: Send): Queryable {
  return {
    async query<R extends Row>(sql: string, parameters: readonly unknown[] = []) {
      const result = (await send(sql, parameters)) as pg.QueryResult;
      return { rows: result.rows as R[] };
    },
    async execute(sql) {
      // Several statements give several results.
      const results = [await send(sql)].flat();
      return { rows: results.flatMap((result) => (result.rows ?? []) as Row[]) };
    },
  };
}
