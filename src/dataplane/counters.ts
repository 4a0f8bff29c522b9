// Live counters in shared memory: each data-plane thread writes its own row, anyone may read all of them. What is
// counted is its owner's to say; this file knows how to lay it out.

/** The names of a row's figures, in order, and those that are not summed over the threads. */
export interface CounterLayout<Name extends string> {
  readonly names: readonly Name[];
  /** The largest of all threads counts. */
  readonly largest?: readonly Name[];
  /** The smallest of all threads that have begun counts. */
  readonly smallest?: readonly Name[];
}

/** Rows are whole cache lines, so that threads do not slow one another down. */
const FIGURES_PER_LINE = 8;
const BYTES_PER_FIGURE = 8;

function rowLength({ names }: CounterLayout<string>): number {
  return Math.ceil(names.length / FIGURES_PER_LINE) * FIGURES_PER_LINE;
}

export function allocateCounters(layout: CounterLayout<string>, threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(threads * rowLength(layout) * BYTES_PER_FIGURE);
}

/** The row of one thread. A 64-bit store is atomic on x64 and arm64, and each row has one writer. */
export class Counters<Name extends string> {
  readonly #row: Float64Array;
  readonly #column: Readonly<Record<Name, number>>;

  constructor(layout: CounterLayout<Name>, memory: SharedArrayBuffer, thread: number) {
    const length = rowLength(layout);
    this.#row = new Float64Array(memory, thread * length * BYTES_PER_FIGURE, length);
    this.#column = Object.fromEntries(layout.names.map((name, i) => [name, i])) as Record<Name, number>;
  }

  add(name: Name, amount = 1): void {
    const column = this.#column[name];
    this.#row[column] = (this.#row[column] as number) + amount;
  }

  set(name: Name, value: number): void {
    this.#row[this.#column[name]] = value;
  }

  read(name: Name): number {
    return this.#row[this.#column[name]] as number;
  }
}

/** The figures of each thread. */
export function readCounters<Name extends string>(
  layout: CounterLayout<Name>,
  memory: SharedArrayBuffer,
): Record<Name, number>[] {
  const all = new Float64Array(memory);
  const length = rowLength(layout);
  return Array.from({ length: all.length / length }, (_, row) => {
    const figures = layout.names.map((name, column) => [name, all[row * length + column] as number]);
    return Object.fromEntries(figures) as Record<Name, number>;
  });
}

/** All threads together. */
export function sumCounters<Name extends string>(
  layout: CounterLayout<Name>,
  memory: SharedArrayBuffer,
): Record<Name, number> {
  const all = new Float64Array(memory);
  const length = rowLength(layout);
  const figures = layout.names.map((name, column): [Name, number] => {
    const rows = Array.from({ length: all.length / length }, (_, row) => all[row * length + column] as number);
    if (layout.largest?.includes(name)) return [name, Math.max(0, ...rows)];
    if (layout.smallest?.includes(name)) {
      const begun = rows.filter((value) => value !== 0);
      return [name, begun.length === 0 ? 0 : Math.min(...begun)];
    }
    return [name, rows.reduce((sum, value) => sum + value, 0)];
  });
  return Object.fromEntries(figures) as Record<Name, number>;
}
