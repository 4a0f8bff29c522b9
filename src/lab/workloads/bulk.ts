// Bulk transfers: flows that begin together, each of so many bytes, or all until the time is over.

import { ProtocolError } from '../../wire/protocol-error.ts';
import { monotonicMs } from '../measures/clock.ts';
import type { ClientRun, Driver } from './client-run.ts';
import { Flow, type FlowError, type FlowOwner } from './flow.ts';
import type { ClientTask } from './job.ts';
import { parseReceipt } from './request.ts';
import { type BulkResult, type FlowResult, WorkloadErrorCode } from './workload.ts';

export type BulkTask = Extract<ClientTask, { kind: 'bulk' }>;

export class BulkDriver implements Driver, FlowOwner {
  readonly #run: ClientRun;
  readonly #task: BulkTask;
  /** Of each flow. */
  readonly #bytes: number;
  readonly #isUp: boolean;
  /** Under way. Bounded by the flows asked for, as is the list of results. */
  readonly #open = new Set<Flow>();
  readonly #results: FlowResult[] = [];
  #timeOver = false;

  constructor(run: ClientRun, task: BulkTask) {
    this.#run = run;
    this.#task = task;
    this.#bytes = task.bytes ?? Number.POSITIVE_INFINITY;
    this.#isUp = task.direction === 'up';
    run.sent = () => [...this.#open].reduce((sum, flow) => sum + flow.sent, 0);
  }

  start(): void {
    const request = this.#isUp
      ? { requestBytes: Number.POSITIVE_INFINITY, responseBytes: 0 }
      : { requestBytes: 0, responseBytes: this.#bytes };
    const flows = Array.from(
      { length: this.#task.flows ?? 1 },
      (_, i) => new Flow(this.#run, i, { ...request, bitsPerSecond: 0, once: true }, this),
    );
    for (const flow of flows) this.#open.add(flow);
    for (const flow of flows) flow.dial();
  }

  onDeadline(): void {
    this.#timeOver = true;
    for (const flow of [...this.#open]) {
      if (flow.connectedMs === undefined) {
        flow.reset();
        const message = 'the time was over before the connection stood';
        this.#close(flow, { code: WorkloadErrorCode.connectTimeout, message });
      } else if (this.#isUp) flow.endWriting();
      else {
        this.#stopWaiting(flow);
        flow.reset();
        this.#close(flow);
      }
    }
  }

  stop(): void {
    for (const flow of [...this.#open]) {
      this.#stopWaiting(flow);
      flow.reset();
      this.#open.delete(flow);
      this.#run.judge(flow);
      this.#results.push(this.#resultOf(flow, false));
    }
  }

  onOpen(flow: Flow): void {
    if (this.#isUp) flow.sendUpTo(this.#bytes);
  }

  onPayload(flow: Flow, bytes: number, nowMs: number): void {
    this.#run.arrivals.add(nowMs, bytes);
    if (flow.arrivals.bytes > this.#bytes) flow.firstBadOffset ??= this.#bytes;
  }

  onSentAll(flow: Flow): void {
    flow.endWriting();
  }

  onPeerEnd(flow: Flow): void {
    const error = this.#isUp ? this.#checkReceipt(flow) : this.#checkLength(flow);
    flow.close();
    this.#close(flow, error);
  }

  onFailed(flow: Flow, error: FlowError): void {
    this.#stopWaiting(flow);
    this.#close(flow, error);
  }

  result(): BulkResult {
    const { errorCount } = this.#run;
    const flows = this.#results.toSorted((a, b) => a.flow - b.flow);
    return { kind: 'bulk', ...this.#run.common(), finished: errorCount === 0, flows };
  }

  #checkLength({ arrivals }: Flow): FlowError | undefined {
    if (arrivals.bytes >= this.#bytes) return undefined;
    const message = `the stream ended after ${arrivals.bytes} bytes`;
    return { code: WorkloadErrorCode.cutShort, message };
  }

  #checkReceipt({ sent, message: bytes }: Flow): FlowError | undefined {
    try {
      const receipt = parseReceipt(bytes)?.value;
      if (receipt === sent && (this.#timeOver || sent === this.#bytes)) return undefined;
      const message = `${sent} bytes were sent, and the server ${receipt === undefined ? 'gave no receipt' : `got ${receipt}`}`;
      return { code: WorkloadErrorCode.cutShort, message };
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return { code: WorkloadErrorCode.corrupt, message: error.message };
    }
  }

  /** Bytes were still to come: the silence before the end counts. */
  #stopWaiting(flow: Flow): void {
    const now = monotonicMs();
    flow.arrivals.stopWaiting(now);
    if (!this.#isUp && this.#open.size === 1) this.#run.arrivals.stopWaiting(now);
  }

  #close(flow: Flow, error?: FlowError): void {
    this.#open.delete(flow);
    if (error !== undefined) this.#run.note(error, flow.number);
    const intact = this.#run.judge(flow);
    this.#results.push(this.#resultOf(flow, intact && error === undefined));
    if (this.#open.size === 0) this.#run.end();
  }

  #resultOf({ number, arrivals, startedMs, connectedMs, isMptcp }: Flow, finished: boolean): FlowResult {
    const after = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms - startedMs);
    return {
      flow: number,
      bytes: arrivals.bytes,
      connectedAfterMs: after(connectedMs),
      firstByteAfterMs: after(arrivals.firstMs),
      endedAfterMs: (this.#isUp ? monotonicMs() : arrivals.lastMs) - startedMs,
      longestGapMs: arrivals.longestGap.ms,
      mptcp: isMptcp,
      finished,
    };
  }
}
