// Where the use of budgets is kept over restarts: one small file of JSON, replaced as a whole.

import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { BudgetRecords } from './budget-keeper.ts';

export interface BudgetFileNews {
  /** `message` says what was wrong, and what became of it. */
  warn(message: string): void;
}

const VERSION = 1;
/** Some 256 records of 16 counters; a larger one is none of ours. */
const FILE_BYTES_MAX = 1 << 20;

const record = z.object({
  since: z.string().regex(/^\d{4}-\d\d-\d\d$/),
  bytes: z.number().min(0).max(Number.MAX_SAFE_INTEGER),
  machine: z.string().max(1_000),
  counters: z.record(z.string(), z.number().min(0)),
});
const file = z.object({ version: z.literal(VERSION), paths: z.record(z.string().max(255), record) });

export class BudgetFile {
  readonly path: string;
  readonly #news: BudgetFileNews;
  /** Writes come one after the other; the newest that waits is the one that counts. */
  #waiting: BudgetRecords | undefined;
  #writing: Promise<void> | undefined;

  constructor(path: string, news: BudgetFileNews) {
    this.path = path;
    this.#news = news;
  }

  /** What was kept. Never rejects: a file that cannot be read is put aside, and counting begins anew. */
  async read(): Promise<BudgetRecords> {
    let text: string;
    try {
      text = await readBounded(this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
      this.#news.warn(`${this.path} cannot be read (${messageOf(error)}): budgets are counted from nothing`);
      return {};
    }
    const parsed = parse(text);
    if (parsed !== undefined) return parsed;
    const aside = `${this.path}.broken`;
    const moved = await rename(this.path, aside).then(
      () => true,
      () => false,
    );
    const where = moved ? `; it is put aside as ${aside}` : '';
    this.#news.warn(`${this.path} is damaged: budgets are counted from nothing, and may be overrun this month${where}`);
    return {};
  }

  /** Never rejects. */
  write(records: BudgetRecords): Promise<void> {
    this.#waiting = records;
    this.#writing ??= this.#writeAll();
    return this.#writing;
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting !== undefined) {
      const records = this.#waiting;
      this.#waiting = undefined;
      try {
        await replace(this.path, `${JSON.stringify({ version: VERSION, paths: records }, null, 2)}\n`);
      } catch (error) {
        this.#news.warn(
          `${this.path} cannot be written (${messageOf(error)}): a restart may forget what budgets have used`,
        );
      }
    }
    this.#writing = undefined;
  }
}

async function readBounded(path: string): Promise<string> {
  const { size } = await stat(path);
  if (size > FILE_BYTES_MAX) throw new Error(`it has ${size} bytes, and at most ${FILE_BYTES_MAX} are ours`);
  return readFile(path, 'utf8');
}

function parse(text: string): BudgetRecords | undefined {
  try {
    const result = file.safeParse(JSON.parse(text));
    return result.success ? result.data.paths : undefined;
  } catch {
    return undefined;
  }
}

/** After a crash there is the old content or the new one, whole. */
async function replace(path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${randomBytes(6).toString('hex')}.budgets`);
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
