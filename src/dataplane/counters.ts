// Live counters in shared memory: each data-plane thread writes its own row, anyone may read all of them.

/**
 * What is counted, in the order of a row. Gauges: `active` (connections now), `pipes` (open). The rest only grows.
 * `ended…` tell why flows ended; see `FlowEnd`.
 */
export const COUNTER_NAMES = [
  'active',
  'pipes',
  'accepted',
  'refused', // at accept: a limit, a source that may not connect
  'shortages', // times that accepting paused
  'flows', // relays begun
  'bytesUp',
  'bytesDown',
  'mptcpClients',
  'mptcpServers',
  'fallbacksClient',
  'fallbacksServer',
  'handshakesFailed',
  'connectsFailed',
  'resets',
  'timeouts',
  'lagMsMax',
  'heartbeat', // when the thread last went round, in milliseconds since 1970
] as const;

export type CounterName = (typeof COUNTER_NAMES)[number];

/** One cache line apart, so that threads do not slow one another down. */
const ROW = Math.ceil(COUNTER_NAMES.length / 8) * 8;
const COLUMN = Object.fromEntries(COUNTER_NAMES.map((name, i) => [name, i])) as Record<CounterName, number>;

/** The row of one thread. A 64-bit store is atomic on x64 and arm64, and each row has one writer. */
export class Counters {
  readonly #row: Float64Array;

  constructor(memory: SharedArrayBuffer, thread: number) {
    this.#row = new Float64Array(memory, thread * ROW * 8, ROW);
  }

  add(name: CounterName, amount = 1): void {
    const column = COLUMN[name];
    this.#row[column] = (this.#row[column] as number) + amount;
  }

  set(name: CounterName, value: number): void {
    this.#row[COLUMN[name]] = value;
  }

  read(name: CounterName): number {
    return this.#row[COLUMN[name]] as number;
  }
}

export function allocateCounters(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(threads * ROW * 8);
}

/** How the rows of the threads make one figure: the sum, but for the longest lag and the oldest heartbeat. */
function combine(name: CounterName, a: number, b: number): number {
  if (name === 'lagMsMax') return Math.max(a, b);
  if (name === 'heartbeat') return a === 0 ? b : Math.min(a, b);
  return a + b;
}

/** All threads together. */
export function sumCounters(memory: SharedArrayBuffer): Record<CounterName, number> {
  const all = new Float64Array(memory);
  const sums = Object.fromEntries(COUNTER_NAMES.map((name) => [name, 0])) as Record<CounterName, number>;
  for (let row = 0; row < all.length; row += ROW) {
    for (const name of COUNTER_NAMES) {
      sums[name] = combine(name, sums[name], all[row + COLUMN[name]] as number);
    }
  }
  return sums;
}
