// How much a connection over several paths may have in its send buffer. Pure: readings of its subflows in, bytes out.
//
// The kernel lets each subflow hold two to three times its congestion window. What a path that dies owed is sent again
// behind all that the living path holds already: over 10 Mbit/s that was 0.2 to 0.5 s of standstill. What is needed is
// the sum of the rates for the longest round trip, since the kernel keeps every byte until all before it have arrived;
// more only waits. notsent_lowat does not help: it is the connection's, which hands all to its subflows at once.

import type { SendReading } from '../../socket/send-reading.ts';
import { isCalm, QUEUE_BLAMED_MS } from './congestion-choice.ts';

/** Beyond what is under way, for the kernel asks for more only when a third is free (sk_stream_is_writeable). Seconds. */
const ROOM_S = 0.03;
/** Round trips beyond that: what is lost takes one more, or some, until what came after it is let go. */
const SPARE_TRIPS = 0.15;
const SPARE_TRIPS_LOSSY = 3;
/** A path is lossy for so long after a loss that no queue was the reason of. */
const LOSSY_MS = 5_000;
/** The kernel hands out 64 KiB at a time; with less than two of them for each subflow one of them would wait. */
const SUBFLOW_BYTES_MIN = 128 * 1024;
/** Memory that one connection may take; two paths of 400 Mbit/s and 80 ms need 12 MB. */
const BYTES_MAX = 16 << 20;
/** In slow start the window doubles with each round trip. */
const SLOW_START_FACTOR = 2;
/** By so much it grows from one look to the next: in slow start the windows tell too much. */
const GROWTH_MAX = 2;
/** And it shrinks by so much of what got through since. */
const DRAIN_SHARE = 0.75;
/** Less than this on no path: the kernel may have its way. Seconds. */
const BACKLOG_S = 0.03;
/** Not worth a call. */
const CHANGE_SHARE = 1 / 8;

export type Sender = Pick<
  SendReading,
  | 'id'
  | 'rttUs'
  | 'minRttUs'
  | 'bytesAcked'
  | 'bytesRetransmitted'
  | 'windowBytes'
  | 'thresholdBytes'
  | 'pacingRate'
  | 'isRecovering'
  | 'unsentBytes'
>;

/** Of one connection. */
export class SendBufferChoice {
  /** The last look, and when a queue was seen; by subflow, bounded by those a connection has at a time. */
  #before = new Map<number, Sender>();
  #queueAt = new Map<number, number>();
  #isSet = false;
  #lossyUntil = -Infinity;
  /** Who joined last, and when what the others had been handed by then is gone. */
  #joined: ReadonlySet<number> = new Set();
  #drainedAt = 0;

  /**
   * Call some times a second while bytes flow. `now` in milliseconds; `current`: what the buffer is, in bytes as the
   * kernel counts. Returns what it should be, when that is something else.
   */
  observe(now: number, readings: readonly Sender[], current: number): number | undefined {
    const before = this.#before;
    this.#before = new Map(readings.map((sender) => [sender.id, sender]));
    this.#lookForLosses(now, readings, before);
    const progress = ({ id, bytesAcked }: Sender) => bytesAcked - (before.get(id)?.bytesAcked ?? 0);
    const active = readings.filter((sender) => sender.rttUs > 0 && progress(sender) > 0);
    if (active.length === 0 || !(this.#isSet || isCalledFor(active))) return undefined;
    this.#isSet = true;
    // After the loss of a path that is all that it owed. Who joins need not wait for it. Only now: from what was handed
    // out with more room would follow still more.
    const joined = readings.filter(({ id }) => !before.has(id));
    if (joined.length > 0) {
      this.#joined = new Set(joined.map(({ id }) => id));
      this.#drainedAt = now + Math.max(...active.map(drainTime)) * 1000;
    }
    const need = this.#needOf(active, now);
    if (Math.abs(need - current) <= current * CHANGE_SHARE) return undefined;
    // Taken away at once, what was allowed until now would have to drain before anything new is taken, and the paths
    // that are through with theirs would wait for the others.
    const drained = active.reduce((sum, sender) => sum + progress(sender), 0) * DRAIN_SHARE;
    return Math.round(Math.min(Math.max(need, current - drained), current * GROWTH_MAX));
  }

  #needOf(active: readonly Sender[], now: number): number {
    const longest = Math.max(...active.map(({ rttUs }) => rttUs / 1e6));
    const spare = now < this.#lossyUntil ? SPARE_TRIPS_LOSSY : SPARE_TRIPS;
    const ahead = Math.max(0, this.#drainedAt - now) / 1000;
    const isHeldUp = active.some(({ isRecovering }) => isRecovering);
    let bytes = 0;
    for (const sender of active) {
      const rate = rateOf(sender);
      bytes += rate * (isSlowStart(sender) ? SLOW_START_FACTOR : 1) * (longest * (1 + spare) + ROOM_S);
      if (this.#joined.has(sender.id)) bytes += rate * ahead;
      // While one makes up for a full queue the others shall go on.
      if (isHeldUp && !sender.isRecovering) bytes += rate * longest;
    }
    return Math.min(Math.max(bytes, active.length * SUBFLOW_BYTES_MIN), BYTES_MAX);
  }

  #lookForLosses(now: number, readings: readonly Sender[], before: ReadonlyMap<number, Sender>): void {
    const queueAt = this.#queueAt;
    this.#queueAt = new Map();
    for (const sender of readings) {
      const { id, bytesRetransmitted } = sender;
      const seenAt = isCalm(sender) ? (queueAt.get(id) ?? -Infinity) : now;
      this.#queueAt.set(id, seenAt);
      const lost = bytesRetransmitted - (before.get(id)?.bytesRetransmitted ?? bytesRetransmitted);
      const hasProgress = sender.bytesAcked > (before.get(id)?.bytesAcked ?? 0);
      if (lost > 0 && hasProgress && now - seenAt >= QUEUE_BLAMED_MS) this.#lossyUntil = now + LOSSY_MS;
    }
  }
}

/** Until then it grows with the windows, as it should while they grow fast. */
function isCalledFor(active: readonly Sender[]): boolean {
  return active.length > 1 && active.some((sender) => drainTime(sender) > BACKLOG_S) && !active.some(isSlowStart);
}

/** Bytes per second. bbr has a window of two round trips, and tells by its pacing what it makes of it. */
function rateOf({ windowBytes, rttUs, pacingRate }: Sender): number {
  return Math.min((windowBytes * 1e6) / rttUs, pacingRate);
}

/** Until all that waits has been sent; seconds. */
function drainTime(sender: Sender): number {
  return sender.unsentBytes / Math.max(1, rateOf(sender));
}

function isSlowStart({ windowBytes, thresholdBytes }: Sender): boolean {
  return windowBytes < thresholdBytes;
}
