// PGlite: PostgreSQL compiled to WebAssembly, in this thread. Making a new database takes seconds and up to 800 MB for
// that while, opening one that is there 0.2 s; whoever opens it holds the directory's lock.

import { join } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import type { Database, Queryable, QueryResult } from './database.ts';

const INT8_OID = 20;

/** Below the directory that the log is given; beside it are the lock, the socket and the spool. */
export function embeddedDataDirectory(directory: string): string {
  return join(directory, 'data');
}

interface Results {
  readonly rows: readonly unknown[];
  readonly rowCount?: number | undefined;
  readonly affectedRows?: number | undefined;
  readonly command?: string | undefined;
}

interface Engine {
  query(sql: string, parameters?: unknown[]): Promise<Results>;
  exec(sql: string): Promise<unknown>;
}

export async function openEmbedded(directory: string): Promise<Database> {
  const { PGlite } = await import('@electric-sql/pglite');
  const engine: PGlite = await PGlite.create({
    dataDir: embeddedDataDirectory(directory),
    parsers: { [INT8_OID]: (text: string) => Number(text) },
  });
  await engine.exec(`SET TimeZone = 'UTC'`);
  return {
    ...queryableOf(engine as Engine),
    transaction: <T>(run: (inside: Queryable) => Promise<T>) =>
      engine.transaction((inside) => run(queryableOf(inside as Engine))) as Promise<T>,
    close: () => engine.close(),
  };
}

function queryableOf(engine: Engine): Queryable {
  return {
    async query(sql, parameters = []) {
      const { rows, rowCount, affectedRows, command } = await engine.query(sql, [...parameters]);
      const count = rowCount ?? affectedRows ?? rows.length;
      return {
        rows: rows as QueryResult['rows'],
        rowCount: count,
        command: command ?? sql.trim().split(/\s/)[0] ?? '',
      };
    },
    async exec(sql) {
      await engine.exec(sql);
    },
  };
}
