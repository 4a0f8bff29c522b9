// How a transfer lives through the loss of a path and its return, read from its bytes over time. Times are milliseconds
// of the series' clock; a bin's length is the best that any answer can be known to.

import { type ByteSeries, bytesBetween, endOf } from './byte-series.ts';

export interface Silence {
  readonly fromMs: number;
  readonly ms: number;
}

/**
 * The longest run of bins with at most `quietBytes` each that begins between two moments; undefined when there is none.
 * One that begins before `fromMs` counts from there.
 */
export function longestSilence(
  series: ByteSeries,
  { fromMs, toMs, quietBytes = 0 }: { fromMs: number; toMs: number; quietBytes?: number },
): Silence | undefined {
  const { startMs, binMs, bytes } = series;
  let longest: Silence | undefined;
  for (let bin = Math.max(0, Math.floor((fromMs - startMs) / binMs)); bin < bytes.length; ) {
    const begin = Math.max(fromMs, startMs + bin * binMs);
    if (begin >= toMs) break;
    let end = bin;
    while (end < bytes.length && (bytes[end] as number) <= quietBytes) end++;
    const ms = startMs + end * binMs - begin;
    if (end > bin && (longest === undefined || ms > longest.ms)) longest = { fromMs: begin, ms };
    bin = Math.max(end, bin + 1);
  }
  return longest;
}

/** After a cut, what is under way still arrives; a silence that begins later has other reasons. */
const SILENCE_BEGINS_MS = 1_000;

/**
 * How long a transfer stands still for the cut of a path, in milliseconds; 0 when it never does, undefined when it does
 * not go on.
 */
export function pauseMs(goodput: ByteSeries, cutMs: number, quietBytes = 0): number | undefined {
  const silence = silenceAfter(goodput, cutMs, quietBytes);
  return silence === 'for good' ? undefined : (silence?.ms ?? 0);
}

/**
 * Time to failover: milliseconds from the cut of a path until the transfer goes on, over whatever path; 0 when it was
 * never silent, undefined when it never went on.
 */
export function failoverMs(goodput: ByteSeries, cutMs: number, quietBytes = 0): number | undefined {
  const silence = silenceAfter(goodput, cutMs, quietBytes);
  if (silence === 'for good') return undefined;
  return silence === undefined ? 0 : silence.fromMs + silence.ms - cutMs;
}

function silenceAfter(goodput: ByteSeries, cutMs: number, quietBytes: number): Silence | 'for good' | undefined {
  const silence = longestSilence(goodput, { fromMs: cutMs, toMs: cutMs + SILENCE_BEGINS_MS, quietBytes });
  // A series ends with its last byte.
  if (silence === undefined) return endOf(goodput) > cutMs ? undefined : 'for good';
  return silence.fromMs + silence.ms >= endOf(goodput) ? 'for good' : silence;
}

export interface RegainOptions {
  /** When a path was cut, or came back. */
  readonly eventMs: number;
  /** The span whose mean rate counts as the earlier one. */
  readonly earlierFromMs: number;
  readonly earlierToMs: number;
  /** Of the earlier rate; 0.9 unless given. */
  readonly share?: number;
  /** The rate is a mean over this long, or any burst would do; 500 ms unless given. */
  readonly windowMs?: number;
}

/**
 * Milliseconds from the event until the rate is back: until the beginning of the first window whose mean is the asked
 * share of the earlier mean. Undefined when it does not come back, or there was nothing to come back to.
 */
export function regainMs(series: ByteSeries, options: RegainOptions): number | undefined {
  const { eventMs, earlierFromMs, earlierToMs, share = 0.9, windowMs = 500 } = options;
  if (!(earlierToMs > earlierFromMs)) throw new RangeError('the earlier rate needs a span of time');
  const earlier = bytesBetween(series, earlierFromMs, earlierToMs) / (earlierToMs - earlierFromMs);
  if (earlier === 0) return undefined;
  const needed = earlier * windowMs * share;
  for (let at = eventMs; at + windowMs <= endOf(series); at += series.binMs) {
    if (bytesBetween(series, at, at + windowMs) >= needed) return at - eventMs;
  }
  return undefined;
}
