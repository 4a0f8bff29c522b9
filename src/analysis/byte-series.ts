// Bytes over time, in bins of equal length. Times are milliseconds of any one clock.

export interface ByteSeries {
  /** Where the first bin begins. Bins lie on multiples of `binMs`, so that series of one clock fit each other. */
  readonly startMs: number;
  readonly binMs: number;
  readonly bytes: readonly number[];
}
