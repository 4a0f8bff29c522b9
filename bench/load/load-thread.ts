// The main thread's handle on a load thread.

import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { close, signalEventfd } from '#anabranch/ffi/descriptors.js';
import type { ClientTask } from './client-thread.ts';
import { SharedCounts, type Slot } from './shared.ts';

type Message =
  | { readonly kind: 'ready'; readonly wakeFd: number; readonly ports: readonly number[] }
  | { readonly kind: 'failure'; readonly why: string };

const START_MS_MAX = 10_000;
const STOP_MS_MAX = 5_000;
const POLL_MS = 5;
const YOUNG_MEGABYTES = 64;

export class LoadThread {
  readonly counts: SharedCounts;
  /** Listening ports, for the server: TCP, MPTCP (0: the kernel has none). */
  ports: readonly number[] = [];
  /** Why the first connection failed. */
  failure: string | undefined;
  readonly #worker: Worker;
  readonly #ready: Promise<void>;
  readonly #exited: Promise<void>;
  #wakeFd = -1;
  #running = true;

  private constructor(file: string, task: ClientTask | undefined, sampleMost: number) {
    this.counts = SharedCounts.allocate(sampleMost);
    this.#worker = new Worker(new URL(file, import.meta.url), {
      workerData: { memory: this.counts.memory, task },
      // Little garbage in much room: collections are too rare to show in a 99th percentile.
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
    });
    this.#exited = new Promise((resolve) => this.#worker.once('exit', () => resolve(this.#ended())));
    this.#ready = new Promise((resolve, reject) => {
      this.#worker.once('error', reject);
      this.#worker.on('message', (message: Message) => {
        if (message.kind === 'failure') this.failure = message.why;
        else resolve(this.#started(message.wakeFd, message.ports));
      });
    });
  }

  static async startServer(): Promise<LoadThread> {
    return await new LoadThread('./server-thread.js', undefined, 0).#whenReady();
  }

  /** `sampleMost` bounds the samples that `ask` collects. */
  static async startClient(task: ClientTask, sampleMost = 0): Promise<LoadThread> {
    return await new LoadThread('./client-thread.js', task, sampleMost).#whenReady();
  }

  /** Waits until a count reaches `value`; throws when it does not in time, with the load's first failure. */
  async waitFor(slot: Slot, value: number, ms: number): Promise<void> {
    const until = performance.now() + ms;
    while (this.counts.get(slot) < value) {
      if (!this.#running) throw new Error('the load thread ended');
      if (performance.now() > until) {
        const why = this.failure === undefined ? '' : `; first failure: ${this.failure}`;
        throw new Error(`${this.counts.get(slot)} of ${value} ${slot} after ${Math.round(ms / 1000)} s${why}`);
      }
      await sleep(POLL_MS);
    }
  }

  /** Sets a count of the main thread's and wakes the load. */
  tell(slot: Slot, value: number): void {
    this.counts.set(slot, value);
    if (this.#running) signalEventfd(this.#wakeFd);
  }

  /** Ends the load and closes its connections. */
  async stop(): Promise<void> {
    this.tell('stop', 1);
    const abort = new AbortController();
    const late = sleep(STOP_MS_MAX, 'late', { signal: abort.signal }).catch(() => 'stopped');
    if ((await Promise.race([this.#exited, late])) === 'late') await this.#worker.terminate();
    abort.abort();
  }

  async #whenReady(): Promise<this> {
    const abort = new AbortController();
    const late = sleep(START_MS_MAX, 'late', { signal: abort.signal }).catch(() => undefined);
    const first = await Promise.race([this.#ready, late]);
    abort.abort();
    if (first === 'late') throw new Error('the load thread did not start');
    return this;
  }

  #started(wakeFd: number, ports: readonly number[]): void {
    this.#wakeFd = wakeFd;
    this.ports = ports;
  }

  #ended(): void {
    if (this.#running && this.#wakeFd >= 0) close(this.#wakeFd);
    this.#running = false;
  }
}
