// Pages: a first object, then all the others over connections of their own, a few at a time, as browsers do.

import { monotonicMs } from '../measures/clock.ts';
import type { ClientRun, Driver } from './client-run.ts';
import { Exchange } from './exchange.ts';
import type { FlowError } from './flow.ts';
import type { ClientTask } from './job.ts';
import { Latencies } from './latencies.ts';
import type { PageResult } from './workload.ts';

export type PageTask = Extract<ClientTask, { kind: 'page' }>;

const PARALLEL = 6;
/** What a browser's request with its cookies comes to. */
const REQUEST_BYTES = 500;

export class PageDriver implements Driver {
  readonly #run: ClientRun;
  readonly #task: PageTask;
  readonly #open = new Set<Exchange>();
  readonly #latencies = new Latencies();
  readonly #loadMs: number[] = [];
  #begunMs = 0;
  /** Of this page. */
  #begun = 0;
  #failed = false;
  #pages = 0;
  #flows = 0;

  constructor(run: ClientRun, task: PageTask) {
    this.#run = run;
    this.#task = task;
  }

  start(): void {
    this.#beginPage();
  }

  onDeadline(): void {
    // A page has no time of its own; the run's limit applies.
  }

  stop(): void {
    for (const exchange of this.#open) exchange.stop();
  }

  result(): PageResult {
    return {
      kind: 'page',
      ...this.#run.common(),
      finished: this.#run.errorCount === 0 && this.#loadMs.length === (this.#task.count ?? 1),
      loadMs: this.#loadMs,
      latency: this.#latencies.summary(),
    };
  }

  #beginPage(): void {
    this.#begunMs = monotonicMs();
    this.#begun = 0;
    this.#failed = false;
    this.#beginObject();
  }

  #beginObject(): void {
    const { objects, requestBytes = REQUEST_BYTES } = this.#task;
    const onOver = (over: Exchange, error: FlowError | undefined): void => this.#onOver(over, error);
    const responseBytes = objects[this.#begun++]!;
    const exchange = new Exchange(this.#run, { number: this.#flows++, requestBytes, responseBytes, onOver });
    this.#open.add(exchange);
    exchange.start();
  }

  #onOver(exchange: Exchange, error: FlowError | undefined): void {
    this.#open.delete(exchange);
    const { startedMs, firstBadOffset } = exchange.flow;
    if (error === undefined && firstBadOffset === undefined) {
      this.#latencies.add(startedMs, monotonicMs() - startedMs);
    } else this.#failed = true;
    const { objects, parallel = PARALLEL, count = 1 } = this.#task;
    // A page with a hole in it is not loaded further.
    while (!this.#failed && this.#begun < objects.length && this.#open.size < parallel) this.#beginObject();
    if (this.#open.size > 0) return;
    if (!this.#failed) this.#loadMs.push(monotonicMs() - this.#begunMs);
    this.#pages++;
    if (this.#pages < count) this.#beginPage();
    else this.#run.end();
  }
}
