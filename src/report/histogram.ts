// Counts in classes of equal width on a log scale: what percentiles and distributions are read from, so that a report
// needs no list of all values. A class is 2.3 % wide; a quantile is read between its borders, within about 1 %.

export const BINS_PER_DECADE = 100;
/** Values below 1: zero, mostly, which has no place on a log scale. */
export const ZERO_BIN = -1;

/** Flows by bin. Bounded by BINS_PER_DECADE times the decades of a number. */
export type Histogram = ReadonlyMap<number, number>;

export function binOf(value: number): number {
  return value < 1 ? ZERO_BIN : Math.floor(Math.log10(value) * BINS_PER_DECADE);
}

/** Where a bin begins. */
export function beginOf(bin: number): number {
  return bin <= ZERO_BIN ? 0 : 10 ** (bin / BINS_PER_DECADE);
}

/** At least so much have the `count` greatest values; 1 where there are not so many of 1 and more. */
export function topBegin(histogram: Histogram, count: number): number {
  let left = count;
  for (const [bin, flows] of [...histogram].sort(([a], [b]) => b - a)) {
    left -= flows;
    // A bin lower, for the database may round a value that lies on the border otherwise.
    if (left <= 0) return Math.max(1, beginOf(bin - 1));
  }
  return 1;
}

export function countOf(histogram: Histogram): number {
  let sum = 0;
  for (const count of histogram.values()) sum += count;
  return sum;
}

/** `p` from 0 to 1; undefined without values. */
export function quantileOf(histogram: Histogram, p: number): number | undefined {
  const bins = [...histogram].sort(([a], [b]) => a - b);
  const rank = p * countOf(histogram);
  let below = 0;
  for (const [i, [bin, count]] of bins.entries()) {
    if (below + count >= rank || i === bins.length - 1) {
      if (bin <= ZERO_BIN) return 0;
      const share = Math.min(1, Math.max(0, (rank - below) / count));
      return 10 ** ((bin + share) / BINS_PER_DECADE);
    }
    below += count;
  }
  return undefined;
}

export interface Bar {
  readonly from: number;
  readonly to: number;
  readonly flows: number;
}

/** In classes `perDecade` (a divisor of BINS_PER_DECADE) to a decade, gaps included; what is below 1 is left out. */
export function barsOf(histogram: Histogram, perDecade: number): Bar[] {
  const width = BINS_PER_DECADE / perDecade;
  const counts = new Map<number, number>();
  for (const [bin, count] of histogram) {
    if (bin <= ZERO_BIN) continue;
    const bar = Math.floor(bin / width);
    counts.set(bar, (counts.get(bar) ?? 0) + count);
  }
  if (counts.size === 0) return [];
  const first = Math.min(...counts.keys());
  const last = Math.max(...counts.keys());
  return Array.from({ length: last - first + 1 }, (_, i) => ({
    from: beginOf((first + i) * width),
    to: beginOf((first + i + 1) * width),
    flows: counts.get(first + i) ?? 0,
  }));
}
