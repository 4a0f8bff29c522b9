// The data-plane threads as the main thread sees them: start, messages, end.

import { type MessagePort, Worker } from 'node:worker_threads';
import { Mailbox } from '../dataplane/mailbox.ts';
import type { FromThread, ThreadSetup, ToThread } from './messages.ts';

export interface ThreadsOwner {
  onMessage(thread: number, message: FromThread): void;
  /** A thread has died; the process cannot go on. */
  onCrash(thread: number, error: Error): void;
}

/** How long a thread may take to come up. */
const START_MS = 10_000;

interface Running {
  readonly worker: Worker;
  readonly mailbox: Mailbox<ToThread>;
  readonly ended: Promise<void>;
}

export class Threads {
  readonly #running: readonly Running[];

  private constructor(running: readonly Running[]) {
    this.#running = running;
  }

  /** Resolves once every thread is in its loop. Rejects when one does not come up in time. */
  static async start(setups: readonly ThreadSetup[], owner: ThreadsOwner): Promise<Threads> {
    return new Threads(await Promise.all(setups.map((setup) => startThread(setup, owner))));
  }

  get count(): number {
    return this.#running.length;
  }

  /** `transfer`: ports of the message, which move to the thread. */
  post(thread: number, message: ToThread, transfer?: readonly MessagePort[]): void {
    this.#running[thread]?.mailbox.post(message, transfer);
  }

  broadcast(message: ToThread): void {
    for (const { mailbox } of this.#running) mailbox.post(message);
  }

  /** Resolves when all have left their loops and ended. */
  async ended(): Promise<void> {
    await Promise.all(this.#running.map(({ ended }) => ended));
  }
}

function startThread(setup: ThreadSetup, owner: ThreadsOwner): Promise<Running> {
  const worker = new Worker(new URL('./data-thread.js', import.meta.url), {
    name: `data-plane-${setup.thread}`,
    workerData: setup,
    // The thread holds no more than its flows' bookkeeping; the young generation stays small enough for the cache.
    resourceLimits: { maxYoungGenerationSizeMb: 16 },
  });
  let mailbox: Mailbox<ToThread> | undefined;
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      mailbox?.close();
      resolve();
    });
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`data-plane thread ${setup.thread} did not start`)), START_MS);
    worker.on('message', (message: FromThread) => {
      if (message.kind !== 'ready') return owner.onMessage(setup.thread, message);
      clearTimeout(timer);
      mailbox = new Mailbox<ToThread>(worker, message.wakeFd);
      resolve({ worker, mailbox, ended });
    });
    worker.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
      owner.onCrash(setup.thread, error);
    });
  });
}
