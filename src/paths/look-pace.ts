// How often the manager may look at the subflows: a look costs time with every socket of the machine.

/** Looking may take up to this share of the time. */
const SHARE = 0.05;
/** From one look to the next the cost is believed to grow no more than that, in milliseconds. */
const GROWTH_FACTOR = 1.25;
const GROWTH_MS = 0.05;

export class LookPace {
  #costMs = 0;

  /**
   * Milliseconds until the next look, `wantedMs` or more. The clock runs on while the thread is not running: one look that
   * took long says that the machine is busy, and only many say that looks are dear.
   */
  next(tookMs: number, wantedMs: number): number {
    this.#costMs = Math.min(tookMs, this.#costMs * GROWTH_FACTOR + GROWTH_MS);
    return Math.max(wantedMs, this.#costMs / SHARE);
  }
}
