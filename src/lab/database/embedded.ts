/** PostgreSQL inside this process (PGlite), in its own thread so that the caller stays responsive. */

import { Worker } from 'node:worker_threads';
import { AssayError } from '../../error.ts';
import { moduleUrl } from '../module-url.ts';
import type { Database, Queryable, Row } from './database.ts';
import type { DatabaseReply, DatabaseRequest } from './messages.ts';
import { createQueue } from './queue.ts';

interface Waiting {
  resolve(rows: Record<string, unknown>[]): void;
  reject(error: Error): void;
}

/** A request without its number. */
type Asked<R = DatabaseRequest> = R extends unknown ? Omit<R, 'id'> : never;

export interface EmbeddedDatabase extends Database {
  /** How long opening took inside the thread. */
  readonly openMilliseconds: number;
}

/**
 * Opens, and makes when missing, the database in a directory. Its caller must own the home.
 *
 * @throws AssayError `environment` when the files cannot be opened.
 */
export async function openEmbedded(directory: string): Promise<EmbeddedDatabase> {
  const thread = new Worker(moduleUrl('./embedded-thread', import.meta.url), {
    workerData: directory,
  });
  const waiting = new Map<number, Waiting>();
  const openMilliseconds = await new Promise<number>((resolve, reject) => {
    const failed = (message: string) =>
      reject(
        new AssayError(
          'environment',
          `cannot open the database in ${directory}: ${message}`,
        ),
      );
    thread.once('error', (error) => failed(String(error)));
    thread.once('exit', () => {
      failed('its thread ended');
      for (const { reject: refuse } of waiting.values()) {
        refuse(new AssayError('environment', 'the database was closed'));
      }
      waiting.clear();
    });
    thread.on('message', (reply: DatabaseReply) => {
      if (reply.type === 'open') return resolve(reply.milliseconds);
      if (reply.type === 'unopened') return failed(reply.message);
      const asked = waiting.get(reply.id);
      waiting.delete(reply.id);
      if (reply.type === 'rows') asked?.resolve(reply.rows);
      else asked?.reject(Object.assign(new Error(reply.message), reply.fields));
    });
  });
  let next = 0;
  let open = true;
  const ask = (request: Asked): Promise<Record<string, unknown>[]> =>
    new Promise((resolve, reject) => {
      if (!open) {
        reject(new AssayError('environment', 'the database is closed'));
        return;
      }
      const id = next++;
      waiting.set(id, { resolve, reject });
      thread.postMessage({ ...request, id });
    });
  const direct: Queryable = {
    async query<R extends Row>(sql: string, parameters: readonly unknown[] = []) {
      return { rows: (await ask({ type: 'query', sql, parameters })) as unknown as R[] };
    },
    execute: async (sql) => ({ rows: await ask({ type: 'execute', sql }) }),
  };
  // There is one session: whoever is inside a transaction must be alone in it.
  const inTurn = createQueue();
  // A statement that fails inside a block of its own BEGIN leaves the session in it.
  const leaving = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      await direct.execute('rollback').catch(() => {});
      throw error;
    }
  };
  return {
    engine: 'pglite',
    openMilliseconds,
    query: <R extends Row>(sql: string, parameters?: readonly unknown[]) =>
      inTurn(() => leaving(direct.query<R>(sql, parameters))),
    execute: (sql) => inTurn(() => leaving(direct.execute(sql))),
    transaction: (work) =>
      inTurn(() =>
        leaving(
          (async () => {
            await direct.execute('begin');
            const value = await work(direct);
            await direct.execute('commit');
            return value;
          })(),
        ),
      ),
    close: () =>
      inTurn(async () => {
        if (!open) return;
        const closing = ask({ type: 'close' });
        open = false;
        await closing.catch(() => {});
        await thread.terminate();
      }),
  };
}
