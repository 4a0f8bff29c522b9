// Durations of many exchanges: all of them for the quantiles, the first of them with their times.

import { quantileOfSorted, sortSamples } from '../../analysis/quantiles.ts';
import { mean } from '../../analysis/summary.ts';
import type { LatencySamples, LatencySummary } from './workload.ts';

const SAMPLES_MAX = 20_000;
/** 8 MB; what comes later is not counted. */
const KEPT_MAX = 1_000_000;

export class Latencies {
  /** Bounded by SAMPLES_MAX. */
  readonly #at: number[] = [];
  /** Bounded by KEPT_MAX. */
  readonly #all: number[] = [];

  add(atMs: number, ms: number): void {
    if (this.#at.length < SAMPLES_MAX) this.#at.push(atMs);
    if (this.#all.length < KEPT_MAX) this.#all.push(ms);
  }

  get samples(): LatencySamples {
    return { atMs: this.#at, ms: this.#all.slice(0, this.#at.length) };
  }

  /** In milliseconds; undefined without any. */
  summary(): LatencySummary | undefined {
    if (this.#all.length === 0) return undefined;
    const sorted = sortSamples(this.#all);
    const at = (p: number): number => quantileOfSorted(sorted, p);
    return {
      count: sorted.length,
      min: at(0),
      mean: mean(sorted),
      p50: at(0.5),
      p90: at(0.9),
      p95: at(0.95),
      p99: at(0.99),
      max: at(1),
    };
  }
}
