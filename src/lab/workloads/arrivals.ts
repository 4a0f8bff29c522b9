// When bytes arrived: how many in each 50 ms, and the longest time without any.

import type { ByteSeries } from '../../analysis/byte-series.ts';
import type { Gap } from './workload.ts';

export const BIN_MS = 50;
/** An hour and more; what comes later is added to the last bin. */
const BINS_MAX = 100_000;

export class Arrivals {
  bytes = 0;
  readonly startMs: number;
  firstMs: number | undefined;
  lastMs: number;
  #longest: Gap;
  readonly #firstBin: number;
  /** Bounded by BINS_MAX. */
  readonly #bins: number[] = [];

  /** `startMs`: when the bytes were asked for. */
  constructor(startMs: number) {
    this.startMs = startMs;
    this.lastMs = startMs;
    this.#longest = { ms: 0, atMs: startMs };
    this.#firstBin = Math.floor(startMs / BIN_MS);
  }

  add(nowMs: number, bytes: number): void {
    // What passes before the first byte is no gap but the start-up.
    if (this.firstMs === undefined) this.firstMs = nowMs;
    else this.#gap(nowMs);
    this.lastMs = nowMs;
    this.bytes += bytes;
    const bin = Math.min(BINS_MAX - 1, Math.floor(nowMs / BIN_MS) - this.#firstBin);
    for (let i = this.#bins.length; i <= bin; i++) this.#bins.push(0);
    this.#bins[bin]! += bytes;
  }

  /** To be called when bytes were still awaited at the end: then the silence before it counts. */
  stopWaiting(nowMs: number): void {
    this.#gap(nowMs);
  }

  get longestGap(): Gap {
    return this.#longest;
  }

  get series(): ByteSeries {
    return { startMs: this.#firstBin * BIN_MS, binMs: BIN_MS, bytes: this.#bins };
  }

  #gap(nowMs: number): void {
    const ms = nowMs - this.lastMs;
    if (ms > this.#longest.ms) this.#longest = { ms, atMs: this.lastMs };
  }
}
