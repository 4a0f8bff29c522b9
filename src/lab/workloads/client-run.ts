// One run of a client: what all kinds of workload keep, and how a run ends.

import type { EventLoop } from '../../dataplane/event-loop.ts';
import { type Timed, Timer } from '../../dataplane/timers.ts';
import { monotonicMs } from '../measures/clock.ts';
import { Arrivals } from './arrivals.ts';
import type { Flow, FlowContext, FlowError } from './flow.ts';
import type { ClientJob, ClientLine, ClientResult } from './job.ts';
import { Payload } from './payload.ts';
import { writeLine } from './program.ts';
import { type Integrity, type WorkloadError, WorkloadErrorCode } from './workload.ts';

/** One kind of workload. */
export interface Driver {
  start(): void;
  /** The seconds asked for are over: begin nothing more. */
  onDeadline(): void;
  /** Give up what is under way. */
  stop(): void;
  result(): ClientResult;
}

const ERRORS_MAX = 100;
const PROGRESS_MS = 200;

export class ClientRun implements FlowContext {
  readonly loop: EventLoop;
  readonly job: ClientJob;
  readonly payload: Payload;
  readonly arrivals: Arrivals;
  readonly startedMs: number;
  /** Bounded by ERRORS_MAX. */
  readonly errors: WorkloadError[] = [];
  errorCount = 0;
  /** Payload sent, for the progress of uploads. */
  sent: () => number = () => 0;
  #integrity: Integrity = { ok: true };
  #driver: Driver | undefined;
  readonly #timers: Timer[] = [];
  #over = false;

  constructor(loop: EventLoop, job: ClientJob) {
    this.loop = loop;
    this.job = job;
    this.payload = new Payload(job.key);
    this.startedMs = monotonicMs();
    this.arrivals = new Arrivals(this.startedMs);
  }

  start(driver: Driver): void {
    this.#driver = driver;
    const { task, timeoutMs } = this.job;
    if ('seconds' in task && task.seconds !== undefined && task.kind !== 'stream') {
      this.#after(task.seconds * 1000, () => driver.onDeadline());
    }
    this.#after(timeoutMs, () => {
      this.giveUp(WorkloadErrorCode.timeout, `not over after ${timeoutMs / 1000} s`);
    });
    this.#reportProgress();
    this.#say({ kind: 'started', atMs: this.startedMs });
    driver.start();
  }

  giveUp(code: string, message: string): void {
    if (this.#over) return;
    this.note({ code, message });
    this.#driver?.stop();
    this.arrivals.stopWaiting(monotonicMs());
    this.end();
  }

  note({ code, message }: FlowError, flow?: number): void {
    this.errorCount++;
    if (this.errors.length >= ERRORS_MAX) return;
    this.errors.push({ code, message, atMs: monotonicMs(), ...(flow === undefined ? {} : { flow }) });
  }

  /** To be called for each flow that is over; remembers the first that was not as it was sent. */
  judge({ firstBadOffset, number }: Flow): boolean {
    if (firstBadOffset === undefined) return true;
    const message = `flow ${number}: the byte at offset ${firstBadOffset} is not the one that was sent`;
    this.note({ code: WorkloadErrorCode.corrupt, message }, number);
    if (this.#integrity.ok) this.#integrity = { ok: false, flow: number, firstBadOffset };
    return false;
  }

  /** Writes the result and ends the program's loop. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    for (const timer of this.#timers) this.loop.disarm(timer);
    this.#say({ kind: 'result', result: this.#driver!.result() });
    this.loop.stop();
  }

  /** What all results have in common. */
  common() {
    const endedMs = monotonicMs();
    const { bytes, series, longestGap, lastMs } = this.arrivals;
    const seconds = (lastMs - this.startedMs) / 1000;
    return {
      startedMs: this.startedMs,
      endedMs,
      errors: this.errors,
      errorCount: this.errorCount,
      bytes,
      goodput: series,
      bitsPerSecond: seconds > 0 ? (bytes * 8) / seconds : 0,
      longestGap,
      integrity: this.#integrity,
    };
  }

  #reportProgress(): void {
    let said = 0;
    const report = (): void => {
      const bytes = Math.max(this.arrivals.bytes, this.sent());
      if (bytes !== said) this.#say({ kind: 'progress', bytes });
      said = bytes;
      this.#after(PROGRESS_MS, report, timer);
    };
    const timer = this.#after(PROGRESS_MS, report);
  }

  #after(ms: number, work: () => void, again?: Timer): Timer {
    const owner: Timed = { onTimer: work };
    const timer = again ?? new Timer(owner);
    if (again === undefined) this.#timers.push(timer);
    this.loop.arm(timer, performance.now() + ms);
    return timer;
  }

  #say(line: ClientLine): void {
    writeLine(line);
  }
}
