// One direction of a link, without I/O, clock or chance of its own: frames go in with the time, and come out by number
// when they have reached the other end. Order of events: a drop-tail queue, the line (rate or trace), loss on the wire,
// then the delay. A lost frame has used the line, as on a radio link.
//
//   offer ─▶ queue ─▶ serialise ─▶ lose? ─▶ delay line ─▶ take
//
// All times are microseconds of one monotonic clock. Nothing is allocated while frames pass.

import { type DirectionSettings, type Loss, queueBytes, TRACE_FRAME_BYTES } from './link-settings.ts';
import type { Random } from './random.ts';

/** Why a frame was refused by `offer`. */
export const Refusal = { queueFull: 1, silent: 2, noRoom: 3 } as const;
export type Refusal = (typeof Refusal)[keyof typeof Refusal];

export interface LinkModelOptions {
  /** Frames in the queue and, again, in the delay line; a power of two. Both are bounded by it. */
  readonly capacity: number;
  readonly random: Random;
  /** Called with the number of a frame that got lost on the wire, which `take` will never return. */
  readonly onLost: (frame: number) => void;
}

export class LinkModel {
  /** Frames and bytes waiting for the line, the one on it included. */
  queuedFrames = 0;
  queuedBytes = 0;
  readonly #mask: number;
  readonly #random: Random;
  readonly #onLost: (frame: number) => void;
  readonly #queueFrames: Int32Array;
  readonly #queueSizes: Int32Array;
  #queueHead = 0;
  readonly #lineFrames: Int32Array;
  readonly #lineArrivals: Float64Array;
  #lineHead = 0;
  #lineCount = 0;

  #settings: DirectionSettings;
  #limitBytes = 0;
  #usPerByte = 0;
  #loss: Loss;
  #inBadState = false;
  #silent = false;
  /** When the head of the queue has left the line. */
  #headDone = 0;
  /** When the frame before it did. */
  #lineFree = 0;
  #lastArrival = 0;
  /** The trace: where it began, the next opportunity, and what the frame before left over of the one in use. */
  #traceStart = -1;
  #traceNext = 0;
  #traceLeft = 0;
  #traceLeftAt = -1;

  constructor(settings: DirectionSettings, { capacity, random, onLost }: LinkModelOptions) {
    if (capacity < 2 || (capacity & (capacity - 1)) !== 0) throw new RangeError(`not a power of two: ${capacity}`);
    this.#mask = capacity - 1;
    this.#random = random;
    this.#onLost = onLost;
    this.#queueFrames = new Int32Array(capacity);
    this.#queueSizes = new Int32Array(capacity);
    this.#lineFrames = new Int32Array(capacity);
    this.#lineArrivals = new Float64Array(capacity);
    this.#settings = settings;
    this.#loss = settings.loss;
    this.#apply();
  }

  /** A frame of `bytes` reaches the link; 0 when it is taken, else why not. A call never goes back in time. */
  offer(frame: number, bytes: number, now: number): Refusal | 0 {
    if (this.#silent) return Refusal.silent;
    this.#advance(now);
    if (this.queuedFrames > 0 && this.queuedBytes + bytes > this.#limitBytes) return Refusal.queueFull;
    if (this.queuedFrames > this.#mask || this.#lineCount > this.#mask) return Refusal.noRoom;
    const at = (this.#queueHead + this.queuedFrames) & this.#mask;
    this.#queueFrames[at] = frame;
    this.#queueSizes[at] = bytes;
    this.queuedFrames++;
    this.queuedBytes += bytes;
    if (this.queuedFrames === 1) {
      this.#headDone = this.#finish(bytes, now);
      if (this.#headDone <= now) this.#advance(now);
    }
    return 0;
  }

  /** The next frame that has arrived by `now`, or −1. */
  take(now: number): number {
    this.#advance(now);
    if (this.#lineCount === 0 || this.#lineArrivals[this.#lineHead]! > now) return -1;
    const frame = this.#lineFrames[this.#lineHead]!;
    this.#lineHead = (this.#lineHead + 1) & this.#mask;
    this.#lineCount--;
    return frame;
  }

  /** When `take` should be called next; Infinity when nothing is under way. */
  nextAt(): number {
    const stuck = this.queuedFrames === 0 || this.#lineCount > this.#mask;
    const leaves = stuck ? Number.POSITIVE_INFINITY : this.#headDone;
    const arrives = this.#lineCount > 0 ? this.#lineArrivals[this.#lineHead]! : Number.POSITIVE_INFINITY;
    return Math.min(leaves, arrives);
  }

  /** Frames past the line keep their times; what is left of the one on the line goes on at the new rate. */
  configure(settings: DirectionSettings, now: number): void {
    this.#advance(now);
    const before = this.#settings;
    const usPerByteBefore = this.#usPerByte;
    const traceKept = sameTrace(settings.trace, before.trace);
    if (!traceKept) this.#traceStart = -1;
    this.#settings = traceKept ? { ...settings, trace: before.trace } : settings;
    this.#loss = settings.loss;
    this.#apply();
    if (this.queuedFrames === 0) return;
    if (traceKept && settings.rate === before.rate) return;
    const bytes = this.#queueSizes[this.#queueHead]!;
    const steady = settings.trace === undefined && before.trace === undefined && usPerByteBefore > 0;
    const bytesLeft = steady ? Math.min(bytes, (this.#headDone - now) / usPerByteBefore) : bytes;
    this.#headDone = steady ? now + bytesLeft * this.#usPerByte : this.#finish(bytes, now);
  }

  /** While silent, every frame offered vanishes; those under way still arrive. */
  silence(silent: boolean): void {
    this.#silent = silent;
  }

  /** Gives up everything under way: calls `release` with each frame's number. */
  clear(release: (frame: number) => void): void {
    for (; this.queuedFrames > 0; this.queuedFrames--) {
      release(this.#queueFrames[this.#queueHead]!);
      this.#queueHead = (this.#queueHead + 1) & this.#mask;
    }
    this.queuedBytes = 0;
    for (; this.#lineCount > 0; this.#lineCount--) {
      release(this.#lineFrames[this.#lineHead]!);
      this.#lineHead = (this.#lineHead + 1) & this.#mask;
    }
  }

  #apply(): void {
    this.#limitBytes = queueBytes(this.#settings);
    this.#usPerByte = 8e6 / this.#settings.rate;
  }

  /** Moves every frame whose last bit has left by `now` from the queue to the delay line. */
  #advance(now: number): void {
    while (this.queuedFrames > 0 && this.#headDone <= now) {
      // A full delay line stops the queue, which then fills and drops.
      if (this.#lineCount > this.#mask) return;
      const frame = this.#queueFrames[this.#queueHead]!;
      const done = this.#headDone;
      this.queuedBytes -= this.#queueSizes[this.#queueHead]!;
      this.#queueHead = (this.#queueHead + 1) & this.#mask;
      this.queuedFrames--;
      this.#lineFree = done;
      if (this.queuedFrames > 0) this.#headDone = this.#finish(this.#queueSizes[this.#queueHead]!, done);
      if (this.#loses()) this.#onLost(frame);
      else this.#delay(frame, done);
    }
  }

  /** When a frame of `bytes` that may start at `now` has left. */
  #finish(bytes: number, now: number): number {
    const start = Math.max(now, this.#lineFree);
    const { trace } = this.#settings;
    const done = trace === undefined ? start : this.#opportunity(trace, bytes, start);
    return Math.max(done, start + bytes * this.#usPerByte);
  }

  /** Uses up chances to send until `bytes` have gone. Those that passed while nothing waited are lost. */
  #opportunity(trace: readonly number[], bytes: number, start: number): number {
    const cycleUs = trace[trace.length - 1]! * 1e3;
    if (this.#traceStart < 0) {
      this.#traceStart = start;
      this.#traceNext = 0;
      this.#traceLeftAt = -1;
    }
    let left = start <= this.#traceLeftAt ? this.#traceLeft : 0;
    let at = start;
    let missing = bytes - left;
    // Skip whole cycles first: a long pause must not cost a long search.
    const idle = Math.floor((start - this.#traceStart) / cycleUs) - Math.floor(this.#traceNext / trace.length);
    if (idle > 1) this.#traceNext += (idle - 1) * trace.length;
    while (missing > 0) {
      const cycle = Math.floor(this.#traceNext / trace.length);
      const when = this.#traceStart + cycle * cycleUs + trace[this.#traceNext % trace.length]! * 1e3;
      this.#traceNext++;
      if (when < start) continue;
      at = when;
      missing -= TRACE_FRAME_BYTES;
    }
    left = -missing;
    this.#traceLeft = left;
    this.#traceLeftAt = at;
    return at;
  }

  #delay(frame: number, now: number): void {
    const { delayMs, jitterMs, reorder } = this.#settings;
    let arrival = now + delayMs * 1e3;
    if (jitterMs > 0) arrival = Math.max(now, arrival + (this.#random() * 2 - 1) * jitterMs * 1e3);
    if (!reorder && arrival < this.#lastArrival) arrival = this.#lastArrival;
    if (arrival > this.#lastArrival) this.#lastArrival = arrival;
    // From the back: without reordering the first comparison ends the search.
    let at = (this.#lineHead + this.#lineCount) & this.#mask;
    for (let i = this.#lineCount; i > 0; i--) {
      const before = (at - 1) & this.#mask;
      if (this.#lineArrivals[before]! <= arrival) break;
      this.#lineArrivals[at] = this.#lineArrivals[before]!;
      this.#lineFrames[at] = this.#lineFrames[before]!;
      at = before;
    }
    this.#lineArrivals[at] = arrival;
    this.#lineFrames[at] = frame;
    this.#lineCount++;
  }

  #loses(): boolean {
    const loss = this.#loss;
    if (loss.kind === 'none') return false;
    if (loss.kind === 'random') return this.#random() < loss.probability;
    const change = this.#inBadState ? loss.badToGood : loss.goodToBad;
    if (this.#random() < change) this.#inBadState = !this.#inBadState;
    return this.#random() < (this.#inBadState ? loss.lossBad : loss.lossGood);
  }
}

/** By value: settings come from another thread, as copies. */
function sameTrace(a: readonly number[] | undefined, b: readonly number[] | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && a.every((time, i) => time === b[i]);
}
