// Watches what paths with a budget carry. Lives in the thread of the path manager; what is to be kept over restarts is
// written by the main thread, for a disk may take its time.

import type { LinkBytes } from '../wire/link-bytes.ts';
import { type BudgetRecord, type BudgetUse, countBytes, monthOf, spentOf } from './budget.ts';
import type { Path } from './path.ts';
import type { Spent } from './preferences.ts';

export type BudgetRecords = Readonly<Record<string, BudgetRecord>>;

export interface BudgetKeeperOptions {
  /** What was kept. */
  readonly records: BudgetRecords;
  /** See BudgetRecord. */
  readonly machine: string;
  readonly readBytes: () => readonly LinkBytes[] | undefined;
  /** To be kept. */
  readonly save: (records: BudgetRecords) => void;
  readonly say: (level: 'info' | 'warn', code: string, message: string) => void;
}

/** Kept at most so often; what is lost by a crash, the kernel's counters still know. */
const SAVE_MS = 30_000;
/** Paths remembered; more than a configuration knows. */
const RECORDS_MAX = 256;

export class BudgetKeeper {
  readonly #options: BudgetKeeperOptions;
  /** By the path's name. Bounded by RECORDS_MAX: the oldest goes. */
  readonly #records: Map<string, BudgetRecord>;
  /** As it was last; bounded by the records. */
  #spent = new Map<string, Spent>();
  #uses = new Map<string, BudgetUse>();
  #savedAt = Number.NEGATIVE_INFINITY;
  #dirty = false;

  constructor(options: BudgetKeeperOptions) {
    this.#options = options;
    this.#records = new Map(Object.entries(options.records).slice(-RECORDS_MAX));
  }

  /** As of what was counted last, or kept. */
  spentOf({ name, budget }: Path, at: Date): Spent | undefined {
    const record = budget === undefined ? undefined : this.#records.get(name);
    if (budget === undefined || record?.since !== monthOf(at, budget.from).since) return undefined;
    return spentOf(budget, record.bytes);
  }

  useOf(name: string): BudgetUse | undefined {
    return this.#uses.get(name);
  }

  /** Looks at the counters; true when something else is to be done about a path than before. `now`: of the monotonic clock. */
  look(paths: readonly Path[], at: Date, now: number): boolean {
    const links = paths.some(({ budget }) => budget !== undefined) ? this.#options.readBytes() : [];
    if (links === undefined) return false;
    const before = this.#spent;
    this.#spent = new Map();
    this.#uses = new Map();
    for (const path of paths) {
      if (path.budget === undefined || this.#uses.has(path.name)) continue;
      const indices = new Set(paths.filter(({ name }) => name === path.name).map(({ index }) => index));
      this.#count(
        path.name,
        path.budget,
        links.filter(({ index }) => indices.has(index)),
        at,
      );
    }
    const changed =
      before.size !== this.#spent.size || [...this.#spent].some(([name, how]) => before.get(name) !== how);
    if (changed) this.#tell(before);
    if (this.#dirty && (changed || now - this.#savedAt >= SAVE_MS)) this.#save(now);
    return changed;
  }

  /** Keeps what has not been kept yet. */
  close(): void {
    if (this.#dirty) this.#save(0);
  }

  #count(name: string, budget: NonNullable<Path['budget']>, links: readonly LinkBytes[], at: Date): void {
    const { since, until } = monthOf(at, budget.from);
    const before = this.#records.get(name);
    const record = countBytes(before, links, { since, machine: this.#options.machine });
    this.#dirty ||= JSON.stringify(before) !== JSON.stringify(record);
    this.#records.delete(name);
    this.#records.set(name, record);
    for (const oldest of this.#records.keys()) {
      if (this.#records.size <= RECORDS_MAX) break;
      this.#records.delete(oldest);
    }
    const spent = spentOf(budget, record.bytes);
    if (spent !== undefined) this.#spent.set(name, spent);
    this.#uses.set(name, { ...budget, used: record.bytes, since, until, spent });
  }

  #tell(before: ReadonlyMap<string, Spent>): void {
    for (const [name, { used, monthly, until, spent }] of this.#uses) {
      if (spent === before.get(name)) continue;
      const part = `${Math.floor((100 * used) / monthly)} % of its ${monthly} bytes`;
      if (spent === undefined) {
        this.#options.say('info', 'budget', `${name}: used again, there is room in its budget`);
        continue;
      }
      const what = spent === 'off' ? 'not used any more' : 'stands by';
      this.#options.say(
        'warn',
        'budget',
        `${name}: ${part} are used up, it ${spent === 'off' ? 'is ' : ''}${what} until ${until}`,
      );
    }
  }

  #save(now: number): void {
    this.#dirty = false;
    this.#savedAt = now;
    this.#options.save(Object.fromEntries(this.#records));
  }
}
