// Partitions by day (UTC), named after it: flows_20261103. They are made when the first entry of a day comes, or the
// day before, and dropped whole once they are older than the log is to be kept.

import type { Database } from './database.ts';

const TABLES = ['flows', 'subflows', 'path_samples', 'events'] as const;
const DAY_MS = 86_400_000;
/** As migrate.ts's, for making partitions: CREATE TABLE IF NOT EXISTS alone may fail when two do it together. */
const ADVISORY_LOCK = '27418536164060527';
const NAME = /^(?:flows|subflows|path_samples|events)_(\d{4})(\d{2})(\d{2})$/;

/** Days since 1970. */
export function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS);
}

export class Partitions {
  /** Days that are known to be there. Bounded by the retention, as the database's own tables are. */
  readonly #days = new Set<number>();

  /** Makes what is missing for these days. */
  async ensure(database: Database, days: Iterable<number>): Promise<void> {
    const missing = [...new Set(days)].filter((day) => !this.#days.has(day));
    if (missing.length === 0) return;
    await database.transaction(async (inside) => {
      await inside.query(`SELECT pg_advisory_xact_lock(${ADVISORY_LOCK})`);
      for (const day of missing) await inside.exec(TABLES.map((table) => createPartition(table, day)).join('\n'));
    });
    for (const day of missing) this.#days.add(day);
  }

  /** Another process may have dropped some. */
  forget(): void {
    this.#days.clear();
  }

  /** Drops the days that ended before `before` (milliseconds since 1970). Returns how many partitions went. */
  async dropBefore(database: Database, before: number): Promise<number> {
    const old = (await listPartitions(database)).filter(({ day }) => (day + 1) * DAY_MS <= before);
    for (const { name, day } of old) {
      // One by one: a report that reads one of them holds up only that one, and only for as long as locks are waited for.
      await database.exec(`DROP TABLE IF EXISTS anabranch.${name}`);
      this.#days.delete(day);
    }
    return old.length;
  }
}

export async function listPartitions(database: Pick<Database, 'query'>): Promise<{ name: string; day: number }[]> {
  const { rows } = await database.query(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'anabranch' AND c.relispartition AND c.relkind = 'r' ORDER BY 1`,
  );
  return rows.flatMap(({ name }) => {
    const match = NAME.exec(String(name));
    if (match === null) return [];
    return [{ name: String(name), day: dayOf(Date.UTC(Number(match[1]), Number(match[2]) - 1, Number(match[3]))) }];
  });
}

function createPartition(table: string, day: number): string {
  const name = `${table}_${dateOf(day).replaceAll('-', '')}`;
  return `CREATE TABLE IF NOT EXISTS anabranch.${name} PARTITION OF anabranch.${table}
    FOR VALUES FROM ('${dateOf(day)} 00:00:00+00') TO ('${dateOf(day + 1)} 00:00:00+00');`;
}

function dateOf(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}
