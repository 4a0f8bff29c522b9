// How long things take, as histograms in shared memory beside the counters: each data-plane thread writes its own row,
// anyone may read. Observing costs a search among a few bounds and two additions; no message, nothing allocated.

/** Upper bounds in seconds, each bucket up to and with its bound; what is beyond the last has a bucket of its own. */
export const HISTOGRAM_BOUNDS = {
  /** From accepting to the client's request, its password included. */
  handshake: [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  /** From the request to the connection with the destination: names, attempts, proxies on the way. */
  connect: [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  /** Silences in the middle of one direction's bytes, from the relay's STALL_MS_MIN on. */
  stall: [0.5, 1, 2, 5, 10, 30, 60, 120, 300],
  /** Of relayed flows, from accepting to the end. */
  duration: [0.01, 0.1, 1, 10, 60, 600, 3_600, 21_600, 86_400],
  /** The longest round of the thread's loop in each second. */
  lag: [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
} as const satisfies Readonly<Record<string, readonly number[]>>;

export type HistogramName = keyof typeof HISTOGRAM_BOUNDS;

export interface HistogramReading {
  /** In each bucket alone, the one beyond the last bound included. */
  readonly counts: readonly number[];
  /** Seconds. */
  readonly sum: number;
}

export type HistogramReadings = Readonly<Record<HistogramName, HistogramReading>>;

const NAMES = Object.keys(HISTOGRAM_BOUNDS) as HistogramName[];
const FIGURES_PER_LINE = 8;
const BYTES_PER_FIGURE = 8;

/** Where each begins in a row: the sum, then the buckets. */
const STARTS = new Map<HistogramName, number>();
let figures = 0;
for (const name of NAMES) {
  STARTS.set(name, figures);
  figures += 1 + HISTOGRAM_BOUNDS[name].length + 1;
}
/** Whole cache lines, so that threads do not slow one another down. */
const ROW_LENGTH = Math.ceil(figures / FIGURES_PER_LINE) * FIGURES_PER_LINE;

export function allocateHistograms(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(threads * ROW_LENGTH * BYTES_PER_FIGURE);
}

/** The row of one thread, which alone writes it. */
export class Histograms {
  readonly #row: Float64Array;

  constructor(memory: SharedArrayBuffer, thread: number) {
    this.#row = new Float64Array(memory, thread * ROW_LENGTH * BYTES_PER_FIGURE, ROW_LENGTH);
  }

  observe(name: HistogramName, seconds: number): void {
    const row = this.#row;
    const bounds: readonly number[] = HISTOGRAM_BOUNDS[name];
    const start = STARTS.get(name) as number;
    let bucket = 0;
    while (bucket < bounds.length && seconds > (bounds[bucket] as number)) bucket++;
    row[start] = (row[start] as number) + seconds;
    row[start + 1 + bucket] = (row[start + 1 + bucket] as number) + 1;
  }
}

/** One reading for each thread. */
export function readHistograms(memory: SharedArrayBuffer): HistogramReadings[] {
  const all = new Float64Array(memory);
  return Array.from({ length: all.length / ROW_LENGTH }, (_, thread) => {
    const readings = NAMES.map((name) => {
      const start = thread * ROW_LENGTH + (STARTS.get(name) as number);
      const counts = Array.from(all.subarray(start + 1, start + 2 + HISTOGRAM_BOUNDS[name].length));
      return [name, { counts, sum: all[start] as number }] as const;
    });
    return Object.fromEntries(readings) as unknown as HistogramReadings;
  });
}

export function sumHistograms(rows: readonly HistogramReadings[]): HistogramReadings {
  const sums = NAMES.map((name) => {
    const readings = rows.map((row) => row[name]);
    const counts = Array.from({ length: HISTOGRAM_BOUNDS[name].length + 1 }, (_, bucket) =>
      readings.reduce((sum, reading) => sum + (reading.counts[bucket] ?? 0), 0),
    );
    return [name, { counts, sum: readings.reduce((sum, reading) => sum + reading.sum, 0) }] as const;
  });
  return Object.fromEntries(sums) as unknown as HistogramReadings;
}
