// Short connections, one after the other, several at a time, or at a fixed rate.

import { type Timed, Timer } from '../../dataplane/timers.ts';
import { monotonicMs } from '../measures/clock.ts';
import type { ClientRun, Driver } from './client-run.ts';
import { Exchange } from './exchange.ts';
import type { FlowError } from './flow.ts';
import type { ClientTask } from './job.ts';
import { Latencies } from './latencies.ts';
import type { ConnectCloseResult } from './workload.ts';

export type ConnectCloseTask = Extract<ClientTask, { kind: 'connect-close' }>;

const PARALLEL = 32;
/** Connections begun in one go, so that others have their turn. */
const BEGUN_AT_ONCE_MAX = 64;

export class ConnectCloseDriver implements Driver, Timed {
  readonly #run: ClientRun;
  readonly #task: ConnectCloseTask;
  readonly #parallel: number;
  readonly #open = new Set<Exchange>();
  readonly #latencies = new Latencies();
  readonly #connects = new Latencies();
  readonly #timer = new Timer(this);
  #startedAt = 0;
  #begun = 0;
  #completed = 0;
  #finishing = false;
  #beginning = false;

  constructor(run: ClientRun, task: ConnectCloseTask) {
    this.#run = run;
    this.#task = task;
    this.#parallel = task.parallel ?? PARALLEL;
  }

  start(): void {
    this.#startedAt = performance.now();
    this.#begin();
  }

  onTimer(): void {
    this.#begin();
  }

  onDeadline(): void {
    this.#finishing = true;
    if (this.#open.size === 0) this.#run.end();
  }

  stop(): void {
    this.#finishing = true;
    this.#run.loop.disarm(this.#timer);
    for (const exchange of this.#open) exchange.stop();
  }

  result(): ConnectCloseResult {
    const common = this.#run.common();
    const seconds = (common.endedMs - common.startedMs) / 1000;
    return {
      kind: 'connect-close',
      ...common,
      finished: common.errorCount === 0 && this.#completed === this.#begun,
      begun: this.#begun,
      completed: this.#completed,
      perSecond: seconds > 0 ? this.#completed / seconds : 0,
      latency: this.#latencies.summary(),
      connectLatency: this.#connects.summary(),
      samples: this.#latencies.samples,
      connectSamples: this.#connects.samples,
    };
  }

  /** Begins what is due and allowed; comes back when the next is due. */
  #begin(): void {
    // A connection that fails at once comes back here.
    if (this.#beginning) return;
    this.#beginning = true;
    const { count = Number.POSITIVE_INFINITY, perSecond = Number.POSITIVE_INFINITY } = this.#task;
    const seconds = (performance.now() - this.#startedAt) / 1000;
    const due = perSecond === Number.POSITIVE_INFINITY ? count : Math.min(count, Math.floor(seconds * perSecond) + 1);
    for (let i = 0; i < BEGUN_AT_ONCE_MAX; i++) {
      if (this.#finishing || this.#begun >= due || this.#open.size >= this.#parallel) break;
      this.#beginOne();
    }
    this.#beginning = false;
    this.#finishing ||= this.#begun >= count;
    if (this.#finishing) {
      if (this.#open.size === 0) this.#run.end();
    } else if (this.#open.size < this.#parallel) {
      const nextMs = this.#begun >= due ? (this.#begun / perSecond - seconds) * 1000 : 0;
      this.#run.loop.arm(this.#timer, performance.now() + Math.max(0, nextMs));
    }
  }

  #beginOne(): void {
    const { requestBytes, responseBytes } = this.#task;
    const onOver = (over: Exchange, error: FlowError | undefined): void => this.#onOver(over, error);
    const exchange = new Exchange(this.#run, { number: this.#begun++, requestBytes, responseBytes, onOver });
    this.#open.add(exchange);
    exchange.start();
  }

  #onOver(exchange: Exchange, error: FlowError | undefined): void {
    this.#open.delete(exchange);
    const { startedMs, connectedMs, firstBadOffset } = exchange.flow;
    if (connectedMs !== undefined) this.#connects.add(startedMs, connectedMs - startedMs);
    if (error === undefined && firstBadOffset === undefined) {
      this.#completed++;
      this.#latencies.add(startedMs, monotonicMs() - startedMs);
    }
    this.#begin();
  }
}
