// The log as its keeper sees it: how large it is, how far back it goes, and its schema.

import type { Database, QueryResult } from './database.ts';
import { DirectoryLock, lockHolder } from './directory-lock.ts';
import { migrate, type SchemaState, schemaState } from './migrate.ts';
import { listPartitions } from './partitions.ts';
import { type DatabaseTarget, nameOf, secretsOf } from './target.ts';
import { troubleOf } from './trouble.ts';

export interface LogState {
  /** As it may be shown. */
  readonly name: string;
  /** Process that has an embedded database open. */
  readonly usedBy: number | undefined;
  readonly schema: SchemaState;
  /** Days with partitions, as YYYY-MM-DD; undefined when there is none. */
  readonly firstDay: string | undefined;
  readonly lastDay: string | undefined;
  /** Of all tables, with their indexes. */
  readonly bytes: number;
  readonly gateways: readonly string[];
}

/** The message says what is the matter, and holds no secret. */
export class LogMaintenanceError extends Error {
  readonly code = 'log-not-reachable';

  constructor(message: string) {
    super(message);
    this.name = 'LogMaintenanceError';
  }
}

const DAY_MS = 86_400_000;

export function readLogState(target: DatabaseTarget): Promise<LogState> {
  return withDatabase(target, true, async (database, usedBy) => {
    const schema = await schemaState(database);
    const empty = { name: nameOf(target), usedBy, schema, firstDay: undefined, lastDay: undefined };
    if (schema.found === 0) return { ...empty, bytes: 0, gateways: [] };
    const days = (await listPartitions(database)).map(({ day }) => day).sort((a, b) => a - b);
    const size = await database.query(
      `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::float8 AS bytes
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = 'anabranch' AND c.relkind = 'r'`,
    );
    const gateways = await database.query('SELECT name FROM anabranch.gateways ORDER BY name');
    return {
      ...empty,
      firstDay: dateOf(days[0]),
      lastDay: dateOf(days.at(-1)),
      bytes: Number(size.rows[0]?.bytes),
      gateways: gateways.rows.map(({ name }) => String(name)),
    };
  });
}

/** Names of the migrations that were run. */
export function migrateLog(target: DatabaseTarget): Promise<readonly string[]> {
  return withDatabase(target, false, async (database) => (await migrate(database)).map(({ name }) => name));
}

async function withDatabase<T>(
  target: DatabaseTarget,
  readOnly: boolean,
  run: (database: Database, usedBy: number | undefined) => Promise<T>,
): Promise<T> {
  try {
    if (target.kind === 'postgres') {
      const { openPostgres } = await import('./postgres-database.ts');
      return await closing(await openPostgres(target.url, () => {}), (database) => run(database, undefined));
    }
    const usedBy = await lockHolder(target.directory);
    if (usedBy !== undefined && readOnly) {
      return await closing(await openShared(target.directory), (database) => run(database, usedBy));
    }
    const lock = await DirectoryLock.take(target.directory);
    try {
      const { openEmbedded } = await import('./embedded-database.ts');
      return await closing(await openEmbedded(target.directory), (database) => run(database, undefined));
    } finally {
      await lock.release();
    }
  } catch (error) {
    throw new LogMaintenanceError(troubleOf(error, nameOf(target), secretsOf(target)).message);
  }
}

async function closing<T>(database: Database, run: (database: Database) => Promise<T>): Promise<T> {
  try {
    return await run(database);
  } finally {
    await database.close();
  }
}

/** Through the socket of the process that has it open; for reading. */
async function openShared(directory: string): Promise<Database> {
  const { connectQuerySocket } = await import('./query-socket.ts');
  const client = await connectQuerySocket(directory);
  const refuse = () => Promise.reject(new Error('another process has it open'));
  const query = (sql: string, parameters: readonly unknown[] = []): Promise<QueryResult> =>
    client.query(sql, parameters);
  return { query, exec: refuse, transaction: refuse, close: async () => client.close() };
}

function dateOf(day: number | undefined): string | undefined {
  return day === undefined ? undefined : new Date(day * DAY_MS).toISOString().slice(0, 10);
}
