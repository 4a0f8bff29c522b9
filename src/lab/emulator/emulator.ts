// The lab's handle on its emulator thread.

import { MessageChannel, Worker } from 'node:worker_threads';
import { Mailbox } from '../../dataplane/mailbox.ts';
import { close, openEventfd } from '../../ffi/descriptors.ts';
import { LabError, LabErrorCode } from '../lab-error.ts';
import type { DirectionCounters, LinkDriver } from '../link-driver.ts';
import type { DirectionSettings } from '../link-settings.ts';
import {
  COUNTERS_PER_DIRECTION,
  Counter,
  type EmulatorPlan,
  type EmulatorReply,
  type EmulatorRequest,
} from './protocol.ts';
import type { EmulatorWorkerData } from './worker.ts';

/** The thread answers within a few milliseconds; this only ends a wait for one that died. */
const ANSWER_MS_MAX = 10_000;

interface Pending {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class Emulator implements LinkDriver {
  readonly kind = 'emulator';
  readonly #worker: Worker;
  readonly #mailbox: Mailbox<EmulatorRequest>;
  readonly #wakeFd: number;
  readonly #counters: Float64Array;
  /** Bounded by the number of changes asked for at once; each leaves after ANSWER_MS_MAX. */
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  readonly failed: Promise<never>;
  #reportFailure: (error: Error) => void = () => undefined;
  #nextId = 1;
  #failure: Error | undefined;

  private constructor(plan: EmulatorPlan) {
    this.failed = new Promise((_, reject) => {
      this.#reportFailure = reject;
    });
    // Nobody need listen.
    this.failed.catch(() => undefined);
    this.#wakeFd = openEventfd();
    const shared = new SharedArrayBuffer(plan.links.length * 2 * COUNTERS_PER_DIRECTION * 8);
    this.#counters = new Float64Array(shared);
    const { port1, port2 } = new MessageChannel();
    port1.unref();
    this.#mailbox = new Mailbox(port1, this.#wakeFd);
    const data: EmulatorWorkerData = { plan, counters: shared, requests: port2, wakeFd: this.#wakeFd };
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: data, transferList: [port2] });
    this.#worker.on('message', (reply: EmulatorReply) => this.#settle(reply.kind === 'ready' ? 0 : reply.id));
    this.#worker.on('error', (error) => {
      const why = error instanceof Error ? error.message : String(error);
      const failure = new LabError(LabErrorCode.command, `the link emulator has failed: ${why}`);
      this.#reportFailure(failure);
      this.#fail(failure);
    });
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#fail(new LabError(LabErrorCode.closed, 'the link emulator has ended'));
        port1.close();
        close(this.#wakeFd);
        resolve();
      });
    });
  }

  /** Starts the thread and waits until it moves frames. Rejects with what it failed at. */
  static async open(plan: EmulatorPlan): Promise<Emulator> {
    const emulator = new Emulator(plan);
    await emulator.#answer(0);
    return emulator;
  }

  configure(direction: number, settings: DirectionSettings): Promise<void> {
    const id = this.#nextId++;
    return this.#request({ kind: 'configure', id, direction, settings });
  }

  silence(direction: number, silent: boolean): Promise<void> {
    const id = this.#nextId++;
    return this.#request({ kind: 'silence', id, direction, silent });
  }

  counters(direction: number): DirectionCounters {
    const at = (field: number): number => this.#counters[direction * COUNTERS_PER_DIRECTION + field] ?? 0;
    return {
      framesIn: at(Counter.framesIn),
      bytesIn: at(Counter.bytesIn),
      framesOut: at(Counter.framesOut),
      bytesOut: at(Counter.bytesOut),
      lost: at(Counter.lost),
      queueFull: at(Counter.queueFull),
      silenced: at(Counter.silenced),
      failed: at(Counter.failed),
      queuedBytes: at(Counter.queuedBytes),
    };
  }

  /** Asks the thread to end and does not wait; safe in an `exit` handler. */
  stop(): void {
    if (this.#failure === undefined) this.#mailbox.post({ kind: 'stop' });
  }

  async close(): Promise<void> {
    this.#worker.ref();
    this.stop();
    await this.#exited;
  }

  #request(request: Exclude<EmulatorRequest, { kind: 'stop' }>): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const answer = this.#answer(request.id);
    this.#mailbox.post(request);
    return answer;
  }

  #answer(id: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new LabError(LabErrorCode.timeout, `the link emulator did not answer within ${ANSWER_MS_MAX} ms`));
      }, ANSWER_MS_MAX);
      this.#pending.set(id, { resolve, reject, timer });
      // An idle lab does not keep a finished program alive; one that is waited for does.
      this.#worker.ref();
    });
  }

  #settle(id: number): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#worker.unref();
    if (pending === undefined) return;
    clearTimeout(pending.timer);
    pending.resolve();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(this.#failure);
    }
    this.#pending.clear();
  }
}
