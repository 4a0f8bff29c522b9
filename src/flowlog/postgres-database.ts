// One connection to a PostgreSQL server, for the writer.

import pg from 'pg';
import type { Database, QueryResult } from './database.ts';

/** An unreachable server is given up after so long; a hanging one, or one in the way of locks, soon after. */
const CONNECT_MS = 5_000;
const STATEMENT_MS = 60_000;
const LOCK_MS = 20_000;
const INT8_OID = 20;

/** 64-bit integers as numbers: beyond 2^53 no count of ours goes. Everything else as pg does it. */
export const NUMBER_TYPES: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === INT8_OID ? Number : pg.types.getTypeParser(oid as never, format as never),
};

/** `onLost` is called when the connection breaks while nothing is asked. */
export async function openPostgres(url: string, onLost: () => void): Promise<Database> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'anabranch flow log',
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: STATEMENT_MS,
    query_timeout: STATEMENT_MS + 5_000,
    lock_timeout: LOCK_MS,
    keepAlive: true,
    types: NUMBER_TYPES,
  });
  client.on('error', onLost);
  try {
    await client.connect();
  } catch (error) {
    client.end().catch(() => {});
    throw error;
  }
  return createDatabase(client);
}

function createDatabase(client: pg.Client): Database {
  const query = async (sql: string, parameters: readonly unknown[] = []): Promise<QueryResult> => {
    const { rows, rowCount, command } = await client.query(sql, [...parameters]);
    return { rows, rowCount: rowCount ?? 0, command };
  };
  const exec = async (sql: string) => void (await client.query(sql));
  return {
    query,
    exec,
    async transaction(run) {
      await exec('BEGIN');
      try {
        const value = await run({ query, exec });
        await exec('COMMIT');
        return value;
      } catch (error) {
        // On a broken connection this fails too, and then the server rolls back by itself.
        await exec('ROLLBACK').catch(() => {});
        throw error;
      }
    },
    close: () => closeClient(client),
  };
}

/** A server that hangs does not answer a goodbye either. */
async function closeClient(client: pg.Client): Promise<void> {
  const timer = setTimeout(() => destroy(client), 2_000);
  try {
    await client.end();
  } catch {
    destroy(client);
  } finally {
    clearTimeout(timer);
  }
}

function destroy(client: pg.Client): void {
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
}
