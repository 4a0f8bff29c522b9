// Brings a database to the schema this version writes.

import type { Database, Queryable } from './database.ts';
import { MIGRATIONS, type Migration } from './migrations.ts';

/** Any number, as long as no other program takes it: "anabran" in ASCII. */
const ADVISORY_LOCK = '27418536164060526';
const SERVER_VERSION_MIN = 120_000;

export class SchemaError extends Error {
  readonly code: 'schema-newer' | 'server-too-old';

  constructor(code: SchemaError['code'], message: string) {
    super(message);
    this.name = 'SchemaError';
    this.code = code;
  }
}

/** Versions of the schema; `found` is 0 where there is none. */
export interface SchemaState {
  readonly found: number;
  readonly known: number;
}

export async function schemaState(database: Queryable): Promise<SchemaState> {
  return { found: await versionOf(database), known: MIGRATIONS.length };
}

/**
 * Runs what is missing, all in one transaction; of several proxies that start together one does it, and the others wait.
 * Rejects with a SchemaError when the server is too old or the schema newer than this version.
 */
export async function migrate(
  database: Database,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<readonly Migration[]> {
  const { rows } = await database.query(`SELECT current_setting('server_version_num')::integer AS version`);
  if (Number(rows[0]?.version) < SERVER_VERSION_MIN) {
    throw new SchemaError('server-too-old', 'PostgreSQL 12 or later is needed');
  }
  if ((await versionOf(database)) === migrations.length) return [];
  return database.transaction(async (inside) => {
    await inside.query(`SELECT pg_advisory_xact_lock(${ADVISORY_LOCK})`);
    const found = await versionOf(inside);
    if (found > migrations.length) {
      throw new SchemaError(
        'schema-newer',
        `its schema is of a newer anabranch (version ${found}; this one knows ${migrations.length}): ` +
          'update this one, or name another database',
      );
    }
    if (found === 0) await inside.exec(TABLE_OF_VERSIONS);
    const missing = migrations.slice(found);
    for (const { version, name, sql } of missing) {
      await inside.exec(sql);
      await inside.query('INSERT INTO anabranch.migrations (version, name) VALUES ($1, $2)', [version, name]);
    }
    return missing;
  });
}

const TABLE_OF_VERSIONS = `
CREATE SCHEMA IF NOT EXISTS anabranch;
CREATE TABLE anabranch.migrations (
  version integer PRIMARY KEY,
  name text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);
`;

async function versionOf(database: Queryable): Promise<number> {
  // Not by to_regclass(): a session that has once found nothing may go on saying so for a while after another one has
  // made the table. Reading the catalog as a table sees what is committed.
  const there = await database.query(
    `SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'anabranch' AND c.relname = 'migrations'`,
  );
  if (there.rows.length === 0) return 0;
  const { rows } = await database.query('SELECT coalesce(max(version), 0) AS version FROM anabranch.migrations');
  return Number(rows[0]?.version);
}
