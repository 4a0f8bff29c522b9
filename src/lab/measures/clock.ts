// The one clock of all workloads and measures: CLOCK_MONOTONIC, the same for every process and network namespace of a
// machine. (performance.timeOrigin is taken from the wall clock, and so differs between processes when that is set.)

/** Milliseconds since some moment before the machine's start, with fractions. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
