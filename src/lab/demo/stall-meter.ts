// The longest silence in a stream of bytes. Time comes in as a value, in milliseconds.

export class StallMeter {
  #last: number | undefined;
  #longestMs = 0;

  onBytes(now: number): void {
    // Waiting for the first byte is connecting, not stalling.
    if (this.#last !== undefined) this.#longestMs = Math.max(this.#longestMs, now - this.#last);
    this.#last = now;
  }

  /** A stream that ends in the middle of a silence was silent until then. */
  onEnd(now: number): void {
    if (this.#last !== undefined) this.#longestMs = Math.max(this.#longestMs, now - this.#last);
  }

  get longestMs(): number {
    return this.#longestMs;
  }
}
