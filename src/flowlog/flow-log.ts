// The log with a database behind it, as the proxy sees it: a sink that never blocks. Entries go to the spool on disk,
// and a thread of its own takes them from there to the database. What goes wrong there is told once, and once more when
// it is over.

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { DirectoryLock } from './directory-lock.ts';
import { EMPTY_BATCH, type EventEntry, type FlowEntry, type PathSampleEntry } from './entry.ts';
import { listSegments, type SpoolPosition } from './segments.ts';
import { SpoolWriter, type Waiting } from './spool-writer.ts';
import { type DatabaseTarget, nameOf } from './target.ts';
import type { Trouble, TroubleKind } from './trouble.ts';
import type { FromWriter, ToWriter, WriterSetup } from './writer-messages.ts';

export interface FlowLogOptions {
  readonly target: DatabaseTarget;
  /** Where entries wait. Each proxy needs its own. */
  readonly spoolDirectory: string;
  readonly spoolBytesMax: number;
  readonly retentionMs: number;
  /** This machine's name in the database; undefined: its host name. */
  readonly gateway: string | undefined;
  /** What the operator should know; never with a secret in it. `code` is stable. */
  readonly onNotice: (level: 'info' | 'warn', code: FlowLogNotice, message: string) => void;
  /** Longest pause between two tries to reach the database. */
  readonly retryMsMax?: number;
}

export type FlowLogNotice =
  | 'flow-log-trouble' // the database does not take entries; they wait in the spool
  | 'flow-log-back' // it does again
  | 'flow-log-lost' // entries were dropped
  | 'flow-log-rejected' // entries the database would not have
  | 'flow-log-spool' // the spool cannot be written, or can again
  | 'flow-log-damaged' // a part of the spool could not be read
  | 'flow-log-thread'; // the writer thread died and is started anew

export interface FlowLogStatus {
  readonly database: string;
  readonly trouble: Trouble | undefined;
  /** Of the spool's files, those included that are stored in part. */
  readonly spoolBytes: number;
  readonly spoolBytesMax: number;
  /** In memory, for the disk. */
  readonly queue: Waiting;
  /** On disk, for the database. */
  readonly waiting: Waiting;
  /** Entries since the start of this process. */
  readonly taken: number;
  readonly stored: number;
  readonly lost: number;
  readonly rejected: number;
  readonly expired: number;
}

const RETRY_MS_MAX = 10_000;
/** Losses are summed up and told this often. */
const LOST_MS = 10_000;
/** How long closing waits for the database; what it has not taken by then waits in the spool for the next start. */
const CLOSE_MS = 10_000;
/** An embedded database may have to be made first. */
const CLOSE_EMBEDDED_MS = 25_000;
const RESTART_MS_MIN = 1_000;
const RESTART_MS_MAX = 60_000;

export class FlowLog {
  readonly #options: FlowLogOptions;
  readonly #locks: readonly DirectoryLock[];
  readonly #run = randomBytes(6).toString('hex');
  readonly #counts = { taken: 0, stored: 0, lost: 0, rejected: 0, expired: 0 };
  #spool!: SpoolWriter;
  #worker: Worker | undefined;
  #trouble: Trouble | undefined;
  #lostUntold = { memory: 0, spool: 0 };
  #lostTimer: NodeJS.Timeout | undefined;
  /** As the writer thread last said. */
  #position: SpoolPosition | undefined;
  #restartMs = RESTART_MS_MIN;
  #restartTimer: NodeJS.Timeout | undefined;
  #onClosed: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  /** Of segments that are done with, one after the other. */
  #removing: Promise<void> = Promise.resolve();

  /**
   * Rejects with a DirectoryLockedError when another process uses the spool or the embedded database, or with Node's
   * error when the spool cannot be had. A database that cannot be reached is no reason: entries wait for it.
   */
  static async open(options: FlowLogOptions): Promise<FlowLog> {
    const { target, spoolDirectory } = options;
    const locks: DirectoryLock[] = [];
    try {
      if (target.kind === 'embedded') locks.push(await DirectoryLock.take(target.directory));
      locks.push(await DirectoryLock.take(spoolDirectory));
      const log = new FlowLog(options, locks);
      await log.#openSpool();
      log.#startWriter(log.#spool.leftBehind);
      return log;
    } catch (error) {
      await Promise.all(locks.map((lock) => lock.release()));
      throw error;
    }
  }

  private constructor(options: FlowLogOptions, locks: readonly DirectoryLock[]) {
    this.#options = options;
    this.#locks = locks;
  }

  /** Takes flows; a FlowSink of the proxy. */
  write(flows: readonly FlowEntry[]): void {
    this.#counts.taken += flows.length;
    this.#spool.append({ ...EMPTY_BATCH, flows });
  }

  writeSamples(samples: readonly PathSampleEntry[]): void {
    this.#counts.taken += samples.length;
    this.#spool.append({ ...EMPTY_BATCH, samples });
  }

  /** `id` is given to those without one. */
  writeEvents(events: readonly (Omit<EventEntry, 'id'> & { readonly id?: string })[]): void {
    this.#counts.taken += events.length;
    const named = events.map((event) => ({ ...event, id: event.id ?? randomBytes(12).toString('hex') }));
    this.#spool.append({ ...EMPTY_BATCH, events: named });
  }

  status(): FlowLogStatus {
    const { target, spoolBytesMax } = this.#options;
    return {
      database: nameOf(target),
      trouble: this.#trouble,
      spoolBytes: this.#spool.bytes,
      spoolBytesMax,
      queue: this.#spool.queue,
      waiting: this.#spool.waitingAfter(this.#position),
      ...this.#counts,
    };
  }

  /** Writes what it holds. Resolves once all is stored, or left in the spool for the next start. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #openSpool(): Promise<void> {
    const { spoolDirectory, spoolBytesMax, onNotice } = this.#options;
    this.#spool = await SpoolWriter.open({
      directory: spoolDirectory,
      bytesMax: spoolBytesMax,
      onWritten: (segment, bytes) => this.#post({ kind: 'written', segment, bytes }),
      onDropped: (segment, entries) => this.#post({ kind: 'dropped', segment, entries }),
      onLost: (entries) => this.#onLost(entries, 'memory'),
      onTrouble: (error) => {
        if (error === undefined) onNotice('info', 'flow-log-spool', `${spoolDirectory} can be written again`);
        else {
          const message = `${spoolDirectory} cannot be written (${error.message}): entries wait in memory`;
          onNotice('warn', 'flow-log-spool', message);
        }
      },
    });
  }

  #startWriter(segments: WriterSetup['segments']): void {
    const { target, spoolDirectory, retentionMs, gateway = hostname(), retryMsMax = RETRY_MS_MAX } = this.#options;
    const workerData: WriterSetup = {
      target,
      spool: spoolDirectory,
      segments,
      activeFrom: this.#spool.activeFrom,
      gateway,
      run: this.#run,
      retentionMs,
      retryMsMax,
    };
    const worker = new Worker(new URL('./writer-thread.js', import.meta.url), { workerData, name: 'flow-log' });
    this.#worker = worker;
    // The log alone is no reason to go on; closing waits for it.
    worker.unref();
    worker.on('message', (message: FromWriter) => this.#onMessage(message));
    let reason = 'it ended';
    worker.on('error', (error) => {
      reason = error.message;
    });
    worker.on('exit', () => {
      if (this.#worker === worker) this.#onWriterEnded(reason);
    });
  }

  #onMessage(message: FromWriter): void {
    const { onNotice, spoolDirectory } = this.#options;
    switch (message.kind) {
      case 'stored':
        return this.#onStored(message);
      case 'trouble':
        return this.#onTrouble(message.trouble);
      case 'damaged': {
        const where = join(spoolDirectory, `segment ${message.segment}`);
        return onNotice('warn', 'flow-log-damaged', `${where}: the last ${message.bytes} bytes cannot be read`);
      }
      case 'no-socket':
        return onNotice('warn', 'flow-log-trouble', `no reports while this runs: ${message.message}`);
      case 'closed':
        this.#onClosed?.();
    }
  }

  #onStored(message: Extract<FromWriter, { kind: 'stored' }>): void {
    this.#restartMs = RESTART_MS_MIN;
    this.#position = message.position;
    this.#counts.stored += message.stored;
    this.#counts.expired += message.expired;
    this.#counts.rejected += message.rejected;
    if (message.lost > 0) this.#onLost(message.lost, 'spool');
    if (message.rejected > 0) {
      const text = `${message.rejected} entries were not taken by the database: ${message.reason}`;
      this.#options.onNotice('warn', 'flow-log-rejected', text);
    }
    this.#removing = this.#removing.then(async () => {
      for (const segment of message.finished) await this.#spool.remove(segment);
    });
  }

  #onTrouble(trouble: Trouble | undefined): void {
    const before: TroubleKind | undefined = this.#trouble?.kind;
    this.#trouble = trouble;
    if (trouble?.kind === before) return;
    if (trouble !== undefined) {
      this.#options.onNotice('warn', 'flow-log-trouble', `entries wait in the spool: ${trouble.message}`);
    } else {
      const name = nameOf(this.#options.target);
      this.#options.onNotice('info', 'flow-log-back', `${name} takes entries again; those that waited are stored now`);
    }
  }

  /** Told at once the first time, then in sums. `where`: what was full. */
  #onLost(entries: number, where: 'memory' | 'spool'): void {
    this.#counts.lost += entries;
    this.#lostUntold[where] += entries;
    if (this.#lostTimer !== undefined) return;
    const tell = () => {
      this.#lostTimer = undefined;
      if (!this.#tellLost()) return;
      this.#lostTimer = setTimeout(tell, LOST_MS).unref();
    };
    tell();
  }

  /** False when there is nothing to tell. */
  #tellLost(): boolean {
    const { memory, spool } = this.#lostUntold;
    if (memory + spool === 0) return false;
    const { spoolDirectory, spoolBytesMax, onNotice } = this.#options;
    const why = [
      ...(spool > 0 ? [`the spool is full (log.spool.bytesMax is ${spoolBytesMax})`] : []),
      ...(memory > 0 ? [`memory is full, and ${spoolDirectory} does not take them fast enough`] : []),
    ];
    const count = `the oldest ${memory + spool} entries were dropped (${this.#counts.lost} in all)`;
    onNotice('warn', 'flow-log-lost', `${count}: ${why.join('; ')}`);
    this.#lostUntold = { memory: 0, spool: 0 };
    return true;
  }

  #onWriterEnded(reason: string): void {
    this.#worker = undefined;
    this.#position = undefined;
    if (this.#closing !== undefined) {
      this.#onClosed?.();
      return;
    }
    const again = `started anew in ${this.#restartMs / 1000} s`;
    this.#options.onNotice('warn', 'flow-log-thread', `the log's thread ended and is ${again}: ${reason}`);
    this.#restartTimer = setTimeout(() => {
      // Everything in the spool is read once more; what is stored already stays as it is.
      void listSegments(this.#options.spoolDirectory).then((segments) => {
        if (this.#closing === undefined) this.#startWriter(segments);
      });
    }, this.#restartMs).unref();
    this.#restartMs = Math.min(this.#restartMs * 2, RESTART_MS_MAX);
  }

  async #close(): Promise<void> {
    clearTimeout(this.#restartTimer);
    clearTimeout(this.#lostTimer);
    await this.#spool.close();
    await this.#closeWriter();
    await this.#removing;
    await this.#spool.end();
    this.#tellLost();
    await Promise.all(this.#locks.map((lock) => lock.release()));
  }

  async #closeWriter(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    await new Promise<void>((resolve) => {
      const limit = this.#options.target.kind === 'embedded' ? CLOSE_EMBEDDED_MS : CLOSE_MS;
      const timer = setTimeout(resolve, limit);
      this.#onClosed = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#post({ kind: 'close' });
    });
    this.#worker = undefined;
    await worker.terminate();
  }

  #post(message: ToWriter): void {
    this.#worker?.postMessage(message);
  }
}
