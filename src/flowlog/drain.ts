// From the spool to the database, for ever: reads a batch, stores it, lets its segments go. While the database is in
// trouble the batch at hand is tried again, at growing intervals; everything else waits in the spool.

import type { Database } from './database.ts';
import { type Batch, entriesOf } from './entry.ts';
import type { SpoolPosition } from './segments.ts';
import type { SpoolReader } from './spool-reader.ts';
import { Store, type StoreOptions } from './store.ts';

export interface DrainOptions extends StoreOptions {
  readonly reader: SpoolReader;
  readonly openDatabase: (onLost: () => void) => Promise<Database>;
  /** Open the database at once, or only when there is something to store. */
  readonly eager: boolean;
  readonly retryMsMax: number;
  /** The database would not be opened or would not store; undefined: now it does. */
  readonly onTrouble: (error: unknown | undefined) => void;
  readonly onStored: (counts: DrainCounts, finishedSegments: readonly number[], position: SpoolPosition) => void;
}

/** Since the last report. */
export interface DrainCounts {
  readonly stored: number;
  readonly expired: number;
  readonly rejected: number;
  readonly reason: string | undefined;
  /** Dropped from the spool before they were stored. */
  readonly lost: number;
}

/** Entries of one transaction: beyond some thousands it gets no faster, and memory grows. */
const BATCH_MAX = 4_000;
/** A smaller batch waits this long for more. */
const LINGER_MS = 200;
const RETRY_MS_MIN = 250;
const HOUSEKEEPING_MS = 3_600_000;

export class Drain {
  readonly #options: DrainOptions;
  #database: Promise<Database> | undefined;
  #store: Store | undefined;
  #wake: () => void = () => {};
  #woken = false;
  #closing = false;
  #retryMs = RETRY_MS_MIN;
  #housekeptAt = 0;

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  /** Something was written to the spool. */
  wake(): void {
    this.#woken = true;
    this.#wake();
  }

  /** The database itself, for those who read; opened when it is not yet. */
  database(): Promise<Database> {
    if (this.#database !== undefined) return this.#database;
    const opening: Promise<Database> = this.#options.openDatabase(() => {
      // Broken while nothing was asked: the next batch finds out whether that lasts.
      if (this.#database === opening) void this.#letGo();
    });
    this.#database = opening;
    opening.catch(() => {
      if (this.#database === opening) this.#database = undefined;
    });
    return opening;
  }

  /** Resolves after `close`: true when all that was read is stored, false when the database would not take it. */
  async run(): Promise<boolean> {
    if (this.#options.eager) await this.#retrying(() => this.#openStore());
    while (true) {
      const batch = await this.#options.reader.next(BATCH_MAX);
      if (entriesOf(batch) > 0) {
        if (!(await this.#storeBatch(batch))) return false;
        if (entriesOf(batch) < BATCH_MAX && !this.#closing) await this.#sleep(LINGER_MS);
        continue;
      }
      this.#report({ stored: 0, expired: 0, rejected: 0, reason: undefined });
      if (this.#closing) return true;
      await this.#housekeep();
      if (!this.#woken) await this.#untilWoken();
      this.#woken = false;
    }
  }

  /** Stores what is there, then ends; a database in trouble ends it at once. */
  async close(): Promise<void> {
    this.#closing = true;
    this.wake();
  }

  /** For the end: lets the database go. */
  async closeDatabase(): Promise<void> {
    const database = await this.#database?.catch(() => undefined);
    await database?.close().catch(() => {});
  }

  /** False when it was closed before it could be stored. */
  async #storeBatch(batch: Batch): Promise<boolean> {
    const result = await this.#retrying(async () => (await this.#openStore()).write(batch));
    if (result === undefined) return false;
    this.#report(result);
    return true;
  }

  #report(result: Omit<DrainCounts, 'lost'>): void {
    const lost = this.#options.reader.takeLost();
    const finished = this.#options.reader.finish();
    const changed = result.stored + result.expired + result.rejected + lost + finished.length > 0;
    if (changed) this.#options.onStored({ ...result, lost }, finished, this.#options.reader.position);
  }

  async #retrying<T>(action: () => Promise<T>): Promise<T | undefined> {
    for (;;) {
      try {
        const value = await action();
        this.#options.onTrouble(undefined);
        this.#retryMs = RETRY_MS_MIN;
        return value;
      } catch (error) {
        this.#options.onTrouble(error);
        await this.#letGo();
        if (this.#closing) return undefined;
        await this.#sleep(this.#retryMs);
        this.#retryMs = Math.min(this.#retryMs * 2, this.#options.retryMsMax);
        if (this.#closing) this.#retryMs = RETRY_MS_MIN;
      }
    }
  }

  async #openStore(): Promise<Store> {
    const database = await this.database();
    this.#store ??= await Store.open(database, this.#options);
    return this.#store;
  }

  async #housekeep(): Promise<void> {
    const now = this.#options.now();
    if (this.#store === undefined || now - this.#housekeptAt < HOUSEKEEPING_MS) return;
    this.#housekeptAt = now;
    // What did not work now will in an hour; a database in trouble shows at the next batch.
    await this.#store.keepHouse().catch(() => 0);
  }

  /** Whatever went wrong, a new connection is the safe way on. */
  async #letGo(): Promise<void> {
    const database = this.#database;
    this.#database = undefined;
    this.#store = undefined;
    await database?.then((open) => open.close()).catch(() => {});
  }

  #untilWoken(): Promise<void> {
    return this.#sleep(HOUSEKEEPING_MS, true);
  }

  /** Closing ends it early; so does news from the spool, if wished. */
  #sleep(ms: number, untilWoken = false): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, ms);
      const sleep = this;
      function done(): void {
        clearTimeout(timer);
        sleep.#wake = () => {};
        resolve();
      }
      this.#wake = () => {
        if (untilWoken || this.#closing) done();
      };
      if (this.#closing) done();
    });
  }
}
