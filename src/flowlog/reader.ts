// The log, opened for reading. PostgreSQL is asked over a pool; an embedded database over the socket of the proxy that
// runs with it, or opened here when none does. Kysely's PostgreSQL dialect serves all three: the two that are not pg get
// a pool made to look like it.

import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely';
import type { ClientConfig } from 'pg';
import type { QueryResult } from './database.ts';
import { DirectoryLock, lockHolder } from './directory-lock.ts';
import { migrate, SchemaError, schemaState } from './migrate.ts';
import type { Tables } from './tables.ts';
import { type DatabaseTarget, nameOf, secretsOf } from './target.ts';
import { troubleOf } from './trouble.ts';

export interface FlowLogReader {
  readonly database: Kysely<Tables>;
  close(): Promise<void>;
}

const CONNECTIONS_MAX = 4;
const CONNECT_MS = 5_000;
const STATEMENT_MS = 120_000;

/** The log cannot be read; the message says why, without secrets. */
export class FlowLogReadError extends Error {
  readonly code = 'log-not-readable';

  constructor(message: string) {
    super(message);
    this.name = 'FlowLogReadError';
  }
}

/** Rejects with a FlowLogReadError. */
export async function openReader(target: DatabaseTarget): Promise<FlowLogReader> {
  const reader = await explaining(target, () => openAny(target));
  try {
    await explaining(target, () => checkSchema(reader));
    return reader;
  } catch (error) {
    await reader.close();
    throw error;
  }
}

function openAny(target: DatabaseTarget): Promise<FlowLogReader> {
  return target.kind === 'postgres' ? openPostgresPool(target.url) : openEmbeddedReader(target.directory);
}

async function openPostgresPool(url: string): Promise<FlowLogReader> {
  const [{ default: pg }, { NUMBER_TYPES }] = await Promise.all([import('pg'), import('./postgres-database.ts')]);
  /** The pool's own limit would count what a query waits for others to be done, too. */
  class Client extends pg.Client {
    constructor(config?: ClientConfig) {
      super({ ...config, connectionTimeoutMillis: CONNECT_MS });
    }
  }
  const pool = new pg.Pool({
    Client,
    connectionString: url,
    application_name: 'anabranch report',
    max: CONNECTIONS_MAX,
    statement_timeout: STATEMENT_MS,
    allowExitOnIdle: true,
    types: NUMBER_TYPES,
  });
  // A connection that breaks while idle is replaced when it is next needed.
  pool.on('error', () => {});
  // Compiling a query for each of many partitions takes longer than what it saves. Without: the same, only later.
  pool.on('connect', (client) => void client.query('SET jit = off').catch(() => {}));
  return readerOf(pool, async () => {});
}

async function openEmbeddedReader(directory: string): Promise<FlowLogReader> {
  if ((await lockHolder(directory)) !== undefined) {
    const { connectQuerySocket } = await import('./query-socket.ts');
    const client = await connectQuerySocket(directory);
    return readerOf(poolOf(client.query), async () => client.close());
  }
  const lock = await DirectoryLock.take(directory);
  try {
    const { openEmbedded } = await import('./embedded-database.ts');
    const database = await openEmbedded(directory);
    await migrate(database);
    return readerOf(poolOf(database.query), async () => {
      await database.close();
      await lock.release();
    });
  } catch (error) {
    await lock.release();
    throw error;
  }
}

function readerOf(pool: PostgresPool, close: () => Promise<void>): FlowLogReader {
  const database = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  return {
    database,
    async close() {
      await database.destroy();
      await close();
    },
  };
}

/** One connection, queries only: there are no transactions over it, for those of others would mix with them. */
function poolOf(query: (sql: string, parameters: readonly unknown[]) => Promise<QueryResult>): PostgresPool {
  const client = {
    query: async (sql: string, parameters: readonly unknown[]) => query(sql, parameters),
    release: () => {},
  };
  return { connect: async () => client as unknown as PostgresPoolClient, end: async () => {} };
}

async function checkSchema({ database }: FlowLogReader): Promise<void> {
  const { CompiledQuery } = await import('kysely');
  const { found, known } = await schemaState({
    async query(sql, parameters = []) {
      const { rows } = await database.executeQuery(CompiledQuery.raw(sql, [...parameters]));
      return { rows: rows as QueryResult['rows'], rowCount: rows.length, command: 'SELECT' };
    },
    exec: () => Promise.reject(new Error('not for readers')),
  });
  if (found === known) return;
  if (found === 0) throw new SchemaError('schema-newer', 'there is no log in it yet');
  const advice = found > known ? 'update this anabranch' : 'run `anabranch log migrate`';
  throw new SchemaError(
    'schema-newer',
    `its schema has version ${found}, and this anabranch reads ${known}: ${advice}`,
  );
}

async function explaining<T>(target: DatabaseTarget, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw new FlowLogReadError(troubleOf(error, nameOf(target), secretsOf(target)).message);
  }
}
