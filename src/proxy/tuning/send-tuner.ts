// Tunes one side of a flow while it sends: its congestion control, and its send buffer.

import { readSending, type SendReading } from '../../socket/send-reading.ts';

/** A look is worth its calls when so much has gone through since the last one. */
const BYTES_BETWEEN = 32 * 1024;
/** Or while something waits to be sent, for so many looks in which none of it got through. */
const STUCK_LOOKS_MAX = 10;

export interface SendObserver {
  observe(now: number, readings: readonly SendReading[]): void;
}

export class SendTuner {
  readonly #fd: number;
  readonly #observers: readonly SendObserver[];
  #bytes = 0;
  #acked = 0;
  /** More looks that are due whatever goes through. */
  #left = 0;

  /** `fd` is the flow's; it is used only while the flow lives. */
  constructor(fd: number, observers: readonly SendObserver[]) {
    this.#fd = fd;
    this.#observers = observers;
  }

  /** `bytes`: sent to this side in all. Returns whether the kernel was asked. */
  look(now: number, bytes: number, isMptcp: boolean): boolean {
    if (bytes - this.#bytes < BYTES_BETWEEN && this.#left === 0) return false;
    this.#bytes = bytes;
    const readings = readSending(this.#fd, isMptcp);
    const acked = readings.reduce((sum, { bytesAcked }) => sum + bytesAcked, 0);
    const isWaiting = readings.some(({ unsentBytes }) => unsentBytes > 0);
    if (acked === this.#acked) this.#left = Math.max(0, this.#left - 1);
    // Once more after the last byte: then what is under way has arrived.
    else this.#left = isWaiting ? STUCK_LOOKS_MAX : 1;
    this.#acked = acked;
    for (const observer of this.#observers) observer.observe(now, readings);
    return true;
  }
}
