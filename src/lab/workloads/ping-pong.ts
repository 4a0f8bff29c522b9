// Requests and responses on standing connections. Requests go out on time whether or not the ones before were answered:
// a client that waited would ask less while the network is silent, and so leave the silence out of its percentiles.

import { type Timed, Timer } from '../../dataplane/timers.ts';
import { monotonicMs } from '../measures/clock.ts';
import type { ClientRun, Driver } from './client-run.ts';
import { Flow, type FlowError, type FlowOwner } from './flow.ts';
import type { ClientTask } from './job.ts';
import { Latencies } from './latencies.ts';
import { type PingPongResult, WorkloadErrorCode } from './workload.ts';

export type PingPongTask = Extract<ClientTask, { kind: 'ping-pong' }>;

/** Unanswered on one flow; beyond it, requests are left out until answers come. */
const WAITING_MAX = 10_000;

export class PingPongDriver implements Driver {
  readonly #run: ClientRun;
  readonly #latencies = new Latencies();
  readonly #players: Player[];
  #left: number;

  constructor(run: ClientRun, task: PingPongTask) {
    this.#run = run;
    this.#left = task.flows ?? 1;
    this.#players = Array.from({ length: this.#left }, (_, i) => {
      return new Player(run, task, i, this.#latencies, () => this.#onOver());
    });
  }

  start(): void {
    for (const player of this.#players) player.start();
  }

  onDeadline(): void {
    for (const player of this.#players) player.finish();
  }

  stop(): void {
    for (const player of this.#players) player.stop();
  }

  result(): PingPongResult {
    const total = (of: (player: Player) => number): number => this.#players.reduce((sum, one) => sum + of(one), 0);
    const asked = total((player) => player.asked);
    const answered = total((player) => player.answered);
    return {
      kind: 'ping-pong',
      ...this.#run.common(),
      finished: this.#run.errorCount === 0 && asked === answered,
      asked,
      answered,
      latency: this.#latencies.summary(),
      samples: this.#latencies.samples,
    };
  }

  #onOver(): void {
    this.#left--;
    if (this.#left === 0) this.#run.end();
  }
}

/** One flow. */
class Player implements FlowOwner, Timed {
  asked = 0;
  answered = 0;
  readonly #run: ClientRun;
  readonly #task: PingPongTask;
  readonly #latencies: Latencies;
  readonly #onOver: () => void;
  readonly #flow: Flow;
  readonly #timer = new Timer(this);
  /** When each unanswered request was made. Bounded by WAITING_MAX. */
  readonly #waiting: number[] = [];
  /** When the next one is due, in the loop's milliseconds. */
  #next = 0;
  #finishing = false;
  #over = false;

  constructor(run: ClientRun, task: PingPongTask, number: number, latencies: Latencies, onOver: () => void) {
    this.#run = run;
    this.#task = task;
    this.#latencies = latencies;
    this.#onOver = onOver;
    const { requestBytes, responseBytes } = task;
    this.#flow = new Flow(run, number, { requestBytes, responseBytes, bitsPerSecond: 0, once: false }, this);
  }

  start(): void {
    this.#flow.dial();
  }

  /** Asks no more, and waits for what was asked. */
  finish(): void {
    this.#finishing = true;
    if (this.#waiting.length === 0) this.#end();
  }

  stop(): void {
    this.#over = true;
    this.#run.loop.disarm(this.#timer);
    this.#flow.reset();
    this.#run.judge(this.#flow);
  }

  onOpen(): void {
    this.#next = performance.now();
    this.onTimer();
  }

  onTimer(): void {
    if (this.#over || this.#finishing) return;
    const now = performance.now();
    if (this.#waiting.length < WAITING_MAX) this.#ask();
    const { intervalMs } = this.#task;
    if (intervalMs === 0 || this.#finishing || this.#over) return;
    // Should this program itself be late, requests are not made up for: they would come in a burst that nobody asked for.
    this.#next = Math.max(this.#next + intervalMs, now);
    this.#run.loop.arm(this.#timer, this.#next);
  }

  onPayload(flow: Flow, bytes: number, nowMs: number): void {
    this.#run.arrivals.add(nowMs, bytes);
    while (flow.arrivals.bytes >= (this.answered + 1) * this.#task.responseBytes) {
      const askedMs = this.#waiting.shift();
      if (askedMs === undefined) break;
      this.answered++;
      this.#latencies.add(askedMs, nowMs - askedMs);
    }
    if (this.#waiting.length > 0) return;
    if (this.#finishing) this.#end();
    else if (this.#task.intervalMs === 0) this.#ask();
  }

  onSentAll(): void {
    // The rest of a request that did not fit at once has gone.
  }

  onPeerEnd(): void {
    this.onFailed(this.#flow, { code: WorkloadErrorCode.cutShort, message: 'the server ended the connection' });
  }

  onFailed(flow: Flow, error: FlowError): void {
    if (this.#over) return;
    this.#run.note(error, flow.number);
    this.#end();
  }

  #ask(): void {
    this.asked++;
    this.#finishing ||= this.asked === this.#task.count;
    this.#waiting.push(monotonicMs());
    this.#flow.sendUpTo(this.asked * this.#task.requestBytes);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#run.loop.disarm(this.#timer);
    this.#flow.close();
    this.#run.judge(this.#flow);
    this.#onOver();
  }
}
