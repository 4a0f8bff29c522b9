// Bytes over time, in bins of equal length. Times are milliseconds of any one clock.

export interface ByteSeries {
  /** Where the first bin begins. Bins lie on multiples of `binMs`, so that series of one clock fit each other. */
  readonly startMs: number;
  readonly binMs: number;
  readonly bytes: readonly number[];
}

/** A counter that only grows, read at some moment. */
export interface CounterReading {
  readonly atMs: number;
  readonly value: number;
}

export function endOf({ startMs, binMs, bytes }: ByteSeries): number {
  return startMs + bytes.length * binMs;
}

/** A bin that lies half in the span counts half: its bytes are taken to be spread evenly. */
export function bytesBetween({ startMs, binMs, bytes }: ByteSeries, fromMs: number, toMs: number): number {
  const first = Math.max(0, Math.floor((fromMs - startMs) / binMs));
  const last = Math.min(bytes.length - 1, Math.floor((toMs - startMs) / binMs));
  let sum = 0;
  for (let i = first; i <= last; i++) {
    const begin = startMs + i * binMs;
    const overlap = Math.min(toMs, begin + binMs) - Math.max(fromMs, begin);
    if (overlap > 0) sum += ((bytes[i] as number) * overlap) / binMs;
  }
  return sum;
}

/** Mean rate in bits per second. Throws a RangeError for an empty span. */
export function rateBetween(series: ByteSeries, fromMs: number, toMs: number): number {
  if (!(toMs > fromMs)) throw new RangeError(`a rate needs a span of time: ${fromMs} to ${toMs} ms`);
  return (bytesBetween(series, fromMs, toMs) * 8_000) / (toMs - fromMs);
}

/**
 * The growth of a counter in each bin between its first and its last reading, which come when they may; between two
 * readings it is taken to grow evenly. Only whole bins; none when the readings do not span one. A counter that falls
 * (an interface made anew) counts from 0 again.
 */
export function binCounter(readings: readonly CounterReading[], binMs: number): ByteSeries {
  const first = readings[0];
  const last = readings.at(-1);
  if (first === undefined || last === undefined) return { startMs: 0, binMs, bytes: [] };
  const startMs = Math.ceil(first.atMs / binMs) * binMs;
  const count = Math.max(0, Math.floor((last.atMs - startMs) / binMs));
  const bytes = new Array<number>(count).fill(0);
  for (let i = 1; i < readings.length; i++) {
    const from = readings[i - 1] as CounterReading;
    const to = readings[i] as CounterReading;
    const grown = to.value >= from.value ? to.value - from.value : to.value;
    const span = to.atMs - from.atMs;
    if (grown === 0) continue;
    if (span <= 0) throw new RangeError(`readings are not in order at ${to.atMs} ms`);
    const firstBin = Math.max(0, Math.floor((from.atMs - startMs) / binMs));
    for (let bin = firstBin; bin < count; bin++) {
      const begin = startMs + bin * binMs;
      if (begin >= to.atMs) break;
      const overlap = Math.min(to.atMs, begin + binMs) - Math.max(from.atMs, begin);
      if (overlap > 0) bytes[bin] = (bytes[bin] as number) + (grown * overlap) / span;
    }
  }
  return { startMs, binMs, bytes };
}

/** What each of several paths carried in a span, from 0 to 1; all 0 when none carried anything. */
export function shares(paths: readonly ByteSeries[], fromMs: number, toMs: number): number[] {
  const carried = paths.map((path) => bytesBetween(path, fromMs, toMs));
  const sum = carried.reduce((total, bytes) => total + bytes, 0);
  return carried.map((bytes) => (sum > 0 ? bytes / sum : 0));
}
