// What the log asks of a database; PostgreSQL and PGlite each have one file that gives it.

export interface QueryResult {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly rowCount: number;
  readonly command: string;
}

/** 64-bit integers come as numbers, times as Date, errors with PostgreSQL's `code` (SQLSTATE). */
export interface Queryable {
  query(sql: string, parameters?: readonly unknown[]): Promise<QueryResult>;
  /** Several statements at once, without parameters. */
  exec(sql: string): Promise<void>;
}

export interface Database extends Queryable {
  /** Undone when `run` rejects. Other queries wait meanwhile, or use another connection. */
  transaction<T>(run: (inside: Queryable) => Promise<T>): Promise<T>;
  /** Let go of it: what is under way is cut. */
  close(): Promise<void>;
}
