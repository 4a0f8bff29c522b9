// One open database and what is needed to put batches into it: schema, partitions, the gateway's id, retention.

import type { Database } from './database.ts';
import { type Batch, entriesOf } from './entry.ts';
import { insertBatch, type Origin } from './insert.ts';
import { migrate } from './migrate.ts';
import { dayOf, Partitions } from './partitions.ts';
import { isAboutData, isAboutPartition } from './trouble.ts';

export interface StoreOptions {
  /** Named in every row. */
  readonly gateway: string;
  readonly run: string;
  /** Entries older than this are dropped, in milliseconds. */
  readonly retentionMs: number;
  readonly now: () => number;
}

export interface Stored {
  readonly stored: number;
  /** Older than the retention when they came. */
  readonly expired: number;
  /** The database would not have them; `reason` is that of the last one. */
  readonly rejected: number;
  readonly reason: string | undefined;
}

const DAY_MS = 86_400_000;
/** The year 2100: what claims to be later comes from a broken clock. */
const TIME_MS_MAX = 4_102_444_800_000;

export class Store {
  readonly #database: Database;
  readonly #options: StoreOptions;
  readonly #origin: Origin;
  readonly #partitions = new Partitions();

  /** Brings the schema up to date. Rejects with the database's error, or a SchemaError. */
  static async open(database: Database, options: StoreOptions): Promise<Store> {
    await migrate(database);
    const store = new Store(database, options, {
      gatewayId: await gatewayId(database, options.gateway),
      run: options.run,
    });
    await store.keepHouse();
    return store;
  }

  private constructor(database: Database, options: StoreOptions, origin: Origin) {
    this.#database = database;
    this.#options = options;
    this.#origin = origin;
  }

  /** Stores all of it or, when it rejects, nothing of it for certain: then it may be tried again. */
  async write(batch: Batch): Promise<Stored> {
    const current = this.#current(batch);
    const expired = entriesOf(batch) - entriesOf(current);
    const { rejected, reason } = await this.#insert(current, true);
    return { stored: entriesOf(current) - rejected, expired, rejected, reason };
  }

  /** Makes tomorrow's partitions and drops those beyond the retention; call it once an hour. */
  async keepHouse(): Promise<number> {
    const now = this.#options.now();
    await this.#partitions.ensure(this.#database, [dayOf(now), dayOf(now) + 1]);
    return this.#partitions.dropBefore(this.#database, now - this.#options.retentionMs);
  }

  async #insert(batch: Batch, again: boolean): Promise<{ rejected: number; reason: string | undefined }> {
    if (entriesOf(batch) === 0) return { rejected: 0, reason: undefined };
    try {
      await this.#partitions.ensure(this.#database, daysOf(batch));
      await this.#database.transaction((inside) => insertBatch(inside, batch, this.#origin));
      return { rejected: 0, reason: undefined };
    } catch (error) {
      if (isAboutPartition(error) && again) {
        this.#partitions.forget();
        return this.#insert(batch, false);
      }
      if (!isAboutData(error)) throw error;
      if (entriesOf(batch) === 1) return { rejected: 1, reason: (error as Error).message };
      return this.#insertHalves(batch);
    }
  }

  /** One entry spoils the batch: by halves it is found in a few steps, and the others get in. */
  async #insertHalves(batch: Batch): Promise<{ rejected: number; reason: string | undefined }> {
    const [first, second] = halves(batch);
    const a = await this.#insert(first, true);
    const b = await this.#insert(second, true);
    return { rejected: a.rejected + b.rejected, reason: b.reason ?? a.reason };
  }

  /** What is not too old; partitions for those are gone or would go at once. */
  #current({ flows, samples, events }: Batch): Batch {
    const oldest = dayOf(this.#options.now() - this.#options.retentionMs) * DAY_MS;
    const isCurrent = (ms: number) => ms >= oldest && ms < TIME_MS_MAX;
    return {
      flows: flows.filter(({ endedAt, acceptedAt }) => isCurrent(endedAt) && Number.isFinite(acceptedAt)),
      samples: samples.filter(({ at }) => isCurrent(at)),
      events: events.filter(({ at }) => isCurrent(at)),
    };
  }
}

function daysOf({ flows, samples, events }: Batch): Set<number> {
  const days = new Set<number>();
  for (const { endedAt } of flows) days.add(dayOf(endedAt));
  for (const { at } of samples) days.add(dayOf(at));
  for (const { at } of events) days.add(dayOf(at));
  return days;
}

function halves({ flows, samples, events }: Batch): [Batch, Batch] {
  const split = <T>(list: readonly T[]): [readonly T[], readonly T[]] => {
    const middle = Math.ceil(list.length / 2);
    return [list.slice(0, middle), list.slice(middle)];
  };
  // Lists of one each would not become smaller by halves: kinds are parted from each other first.
  if (flows.length > 0 && samples.length + events.length > 0) {
    return [
      { flows, samples: [], events: [] },
      { flows: [], samples, events },
    ];
  }
  if (samples.length > 0 && events.length > 0) {
    return [
      { flows: [], samples, events: [] },
      { flows: [], samples: [], events },
    ];
  }
  const [flowsA, flowsB] = split(flows);
  const [samplesA, samplesB] = split(samples);
  const [eventsA, eventsB] = split(events);
  return [
    { flows: flowsA, samples: samplesA, events: eventsA },
    { flows: flowsB, samples: samplesB, events: eventsB },
  ];
}

async function gatewayId(database: Database, name: string): Promise<number> {
  const find = () => database.query('SELECT id FROM anabranch.gateways WHERE name = $1', [name]);
  let { rows } = await find();
  if (rows.length === 0) {
    await database.query('INSERT INTO anabranch.gateways (name) VALUES ($1) ON CONFLICT DO NOTHING', [name]);
    ({ rows } = await find());
  }
  return Number(rows[0]?.id);
}
