// One connection for one request and one response: connect, ask, be answered, close.

import type { ClientRun } from './client-run.ts';
import { Flow, type FlowError, type FlowOwner } from './flow.ts';
import { WorkloadErrorCode } from './workload.ts';

export interface ExchangeOptions {
  readonly number: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** Called once, unless `stop` was. */
  readonly onOver: (exchange: Exchange, error: FlowError | undefined) => void;
}

export class Exchange implements FlowOwner {
  readonly flow: Flow;
  readonly #run: ClientRun;
  readonly #options: ExchangeOptions;

  constructor(run: ClientRun, options: ExchangeOptions) {
    this.#run = run;
    this.#options = options;
    const { requestBytes, responseBytes } = options;
    this.flow = new Flow(run, options.number, { requestBytes, responseBytes, bitsPerSecond: 0, once: true }, this);
  }

  start(): void {
    this.flow.dial();
  }

  stop(): void {
    this.flow.reset();
  }

  onOpen(): void {
    if (this.#options.requestBytes > 0) this.flow.sendUpTo(this.#options.requestBytes);
  }

  onPayload(flow: Flow, bytes: number, nowMs: number): void {
    this.#run.arrivals.add(nowMs, bytes);
    if (flow.arrivals.bytes > this.#options.responseBytes) flow.firstBadOffset ??= this.#options.responseBytes;
  }

  onSentAll(): void {
    // The response tells that all came.
  }

  onPeerEnd(flow: Flow): void {
    const { bytes } = flow.arrivals;
    flow.close();
    if (!this.#run.judge(flow)) return this.#options.onOver(this, undefined);
    if (bytes === this.#options.responseBytes) return this.#options.onOver(this, undefined);
    this.onFailed(flow, { code: WorkloadErrorCode.cutShort, message: `the response ended after ${bytes} bytes` });
  }

  onFailed(flow: Flow, error: FlowError): void {
    this.#run.note(error, flow.number);
    this.#options.onOver(this, error);
  }
}
