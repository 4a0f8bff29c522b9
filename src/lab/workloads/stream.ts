// A live stream at a constant rate, and the viewer's side of it.

import { PlayoutBuffer } from '../../analysis/playout.ts';
import { monotonicMs } from '../measures/clock.ts';
import type { ClientRun, Driver } from './client-run.ts';
import { Flow, type FlowError, type FlowOwner } from './flow.ts';
import type { ClientTask } from './job.ts';
import { type StreamResult, WorkloadErrorCode } from './workload.ts';

export type StreamTask = Extract<ClientTask, { kind: 'stream' }>;

export class StreamDriver implements Driver, FlowOwner {
  readonly #run: ClientRun;
  readonly #bytes: number;
  readonly #flow: Flow;
  readonly #playout: PlayoutBuffer;

  constructor(run: ClientRun, { bitsPerSecond, seconds, bufferMs, resumeMs = bufferMs }: StreamTask) {
    this.#run = run;
    this.#bytes = Math.floor((bitsPerSecond * seconds) / 8);
    const request = { requestBytes: 0, responseBytes: this.#bytes, bitsPerSecond, once: true };
    this.#flow = new Flow(run, 0, request, this);
    const options = { bytesPerMs: bitsPerSecond / 8_000, bufferMs, resumeMs, totalBytes: this.#bytes };
    this.#playout = new PlayoutBuffer(options, this.#flow.startedMs);
  }

  start(): void {
    this.#flow.dial();
  }

  onDeadline(): void {
    // The content has an end of its own.
  }

  stop(): void {
    this.#flow.reset();
  }

  onOpen(): void {
    // The request said all.
  }

  onPayload(flow: Flow, bytes: number, nowMs: number): void {
    this.#run.arrivals.add(nowMs, bytes);
    this.#playout.onBytes(nowMs, bytes);
    if (flow.arrivals.bytes > this.#bytes) flow.firstBadOffset ??= this.#bytes;
  }

  onSentAll(): void {
    // Nothing is sent but the request.
  }

  onPeerEnd(flow: Flow): void {
    flow.close();
    const { bytes } = flow.arrivals;
    const short = bytes < this.#bytes;
    if (short) this.#run.note({ code: WorkloadErrorCode.cutShort, message: `the stream ended after ${bytes} bytes` });
    this.#run.judge(flow);
    this.#run.end();
  }

  onFailed(flow: Flow, error: FlowError): void {
    this.#run.note(error, flow.number);
    this.#run.judge(flow);
    this.#run.arrivals.stopWaiting(monotonicMs());
    this.#run.end();
  }

  result(): StreamResult {
    const common = this.#run.common();
    const finished = common.errorCount === 0 && common.bytes === this.#bytes;
    return { kind: 'stream', ...common, finished, ...this.#playout.report(common.endedMs) };
  }
}
