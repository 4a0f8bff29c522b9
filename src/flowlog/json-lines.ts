// Flow records as JSON lines, to a file or to standard output.

import { createWriteStream, type WriteStream } from 'node:fs';
import type { Writable } from 'node:stream';

/** Waiting to be written; beyond that records are dropped and counted. */
const WAITING_BYTES_MAX = 16 << 20;
/** How long closing waits for a target that takes nothing. */
const CLOSE_MS = 5_000;

export interface JsonLinesOptions {
  /** A path to append to, or `undefined` for standard output. */
  readonly path: string | undefined;
  /** Writing failed, or records were dropped: `dropped` in all. Said at most once a second. */
  readonly onTrouble: (message: string, dropped: number) => void;
}

/** Never blocks: a slow target costs records, not connections. */
export class JsonLinesSink {
  readonly #options: JsonLinesOptions;
  #target: Writable;
  #dropped = 0;
  #taken = 0;
  #saidAt = 0;

  /** Resolves once the file is open. Rejects with Node's error, which names the path. */
  static async open(options: JsonLinesOptions): Promise<JsonLinesSink> {
    return new JsonLinesSink(options, await openTarget(options.path));
  }

  private constructor(options: JsonLinesOptions, target: Writable) {
    this.#options = options;
    this.#target = target;
    this.#watch(target);
  }

  /** Records that were lost. */
  get dropped(): number {
    return this.#dropped;
  }

  get isWell(): boolean {
    return !this.#target.destroyed;
  }

  get waitingBytes(): number {
    return this.#target.writableLength;
  }

  /** Records given to the target. */
  get taken(): number {
    return this.#taken;
  }

  write(records: readonly object[]): void {
    if (this.#target.destroyed || this.#target.writableLength > WAITING_BYTES_MAX) {
      this.#drop(records.length, 'the flow log cannot keep up');
      return;
    }
    this.#taken += records.length;
    this.#target.write(records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  }

  /** Opens the path anew, as after a log rotation; keeps the old file when that fails. */
  async reopen(): Promise<void> {
    if (this.#options.path === undefined) return;
    const old = this.#target;
    this.#target = await openTarget(this.#options.path);
    this.#watch(this.#target);
    old.end();
  }

  close(): Promise<void> {
    const target = this.#target;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, CLOSE_MS);
      const done = () => {
        clearTimeout(timer);
        resolve();
      };
      if (target.destroyed) done();
      // Standard output is not ours to end.
      else if (this.#options.path === undefined) target.write('', done);
      else target.end(done);
    });
  }

  #watch(target: Writable): void {
    target.on('error', (error) => this.#drop(0, `the flow log cannot be written: ${error.message}`));
  }

  #drop(records: number, why: string): void {
    this.#dropped += records;
    const now = performance.now();
    if (now - this.#saidAt < 1_000 && this.#saidAt !== 0) return;
    this.#saidAt = now;
    this.#options.onTrouble(why, this.#dropped);
  }
}

function openTarget(path: string | undefined): Promise<Writable> {
  if (path === undefined) return Promise.resolve(process.stdout);
  return new Promise((resolve, reject) => {
    const file: WriteStream = createWriteStream(path, { flags: 'a', mode: 0o640 });
    file.once('open', () => resolve(file.off('error', reject)));
    file.once('error', reject);
  });
}
