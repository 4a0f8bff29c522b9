// Rates over each path in the last seconds, from samples of counters. Pure.

import type { DemoSample } from './demo-result.ts';
import { TRANSFERS, type TransferName } from './demo-settings.ts';

/** Bounds the history: 40 s at four samples a second, more than any terminal is wide. */
const KEPT_MAX = 160;

/** Mbit/s over path 1 and path 2, Ethernet headers counted. */
export type PathRates = readonly [number, number];

export class Rates {
  #last: DemoSample | undefined;
  readonly #kept: Readonly<Record<TransferName, PathRates[]>> = { mptcp: [], tcp: [] };

  push(sample: DemoSample): void {
    const last = this.#last;
    this.#last = sample;
    // Milliseconds and bytes: bytes × 8 / ms are kbit/s.
    const ms = sample.atMs - (last?.atMs ?? 0);
    if (ms <= 0) return;
    for (const transfer of TRANSFERS) {
      const [now, before] = [sample[transfer].pathBytes, last?.[transfer].pathBytes ?? [0, 0]];
      const rate = (path: 0 | 1): number => ((now[path] - before[path]) * 8) / ms / 1e3;
      const kept = this.#kept[transfer];
      kept.push([rate(0), rate(1)]);
      if (kept.length > KEPT_MAX) kept.shift();
    }
  }

  /** Oldest first. */
  of(transfer: TransferName, path: 0 | 1): number[] {
    return this.#kept[transfer].map((rates) => rates[path]);
  }

  /** Mean of the last `count` samples; 0 before the first. */
  recent(transfer: TransferName, path: 0 | 1, count: number): number {
    const last = this.of(transfer, path).slice(-count);
    return last.length === 0 ? 0 : last.reduce((sum, rate) => sum + rate, 0) / last.length;
  }
}
