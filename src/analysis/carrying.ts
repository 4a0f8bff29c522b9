// When a path begins and ceases to carry: for moments at which a transfer moves from one to another. Times are
// milliseconds of the series' clock; both answers name the end of a bin, and so are late by a bin at most.

import { type ByteSeries, endOf } from './byte-series.ts';

/**
 * Bytes of a bin that count as carrying: most of one full frame. Less is what neighbours, acknowledgements of what came
 * elsewhere and the farewell of a subflow come to.
 */
const CARRIES_BYTES = 1_000;

export interface CarryingSpan {
  readonly fromMs: number;
  readonly toMs?: number | undefined;
}

/** Milliseconds from `fromMs` until the series has carried something; undefined when it does not before `toMs`. */
export function beginsMs(series: ByteSeries, { fromMs, toMs = endOf(series) }: CarryingSpan): number | undefined {
  const { startMs, binMs, bytes } = series;
  const at = bytes.findIndex((carried, bin) => startMs + bin * binMs >= fromMs && carried >= CARRIES_BYTES);
  const end = startMs + (at + 1) * binMs;
  return at < 0 || end > toMs ? undefined : end - fromMs;
}

/**
 * Milliseconds from `fromMs` until the series has carried its last for the time up to `toMs`; 0 when it carries nothing
 * any more. Undefined when it had carried nothing before, and so cannot cease.
 */
export function ceasesMs(series: ByteSeries, { fromMs, toMs = endOf(series) }: CarryingSpan): number | undefined {
  const { startMs, binMs, bytes } = series;
  const carries = (bin: number, lowMs: number, highMs: number): boolean => {
    const begin = startMs + bin * binMs;
    return begin >= lowMs && begin + binMs <= highMs && (bytes[bin] as number) >= CARRIES_BYTES;
  };
  if (!bytes.some((_, bin) => carries(bin, startMs, fromMs))) return undefined;
  const last = bytes.findLastIndex((_, bin) => carries(bin, fromMs, toMs));
  return last < 0 ? 0 : startMs + (last + 1) * binMs - fromMs;
}
