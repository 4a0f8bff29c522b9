// Bytes of a peer that a handshake cannot use yet: the beginning of a message, or data that came too early.

/** How much a machine keeps of a peer's bytes (see inbound.ts and outbound.ts). */
export const HELD_BYTES_MAX = 64 * 1024;

const NOTHING = new Uint8Array(0);
const CAPACITY_MIN = 64;

/**
 * The usual message comes in one piece and is parsed where it lies, without a copy: `join`, parse, `keep` what is left.
 * Grows by doubling, so one byte at a time costs a copy of each byte about twice. Bounded by its owner, who keeps no more
 * than `HELD_BYTES_MAX`.
 */
export class HeldBytes {
  #buffer: Uint8Array = NOTHING;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What is held, and `bytes` behind it. A view, good until the next call: of `bytes` itself when nothing is held. */
  join(bytes: Uint8Array): Uint8Array {
    if (this.#length === 0) return bytes;
    const length = this.#length + bytes.length;
    if (length > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#buffer.length));
      grown.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = grown;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = length;
    return this.#buffer.subarray(0, length);
  }

  /** Holds what lies behind the first `used` bytes of `joined`, the view that `join` gave. */
  keep(joined: Uint8Array, used: number): void {
    const left = joined.length - used;
    if (left === 0) {
      this.#buffer = NOTHING;
    } else if (this.#length > 0) {
      if (used > 0) this.#buffer.copyWithin(0, used, joined.length);
    } else {
      this.#buffer = new Uint8Array(Math.max(left, CAPACITY_MIN));
      this.#buffer.set(used === 0 ? joined : joined.subarray(used));
    }
    this.#length = left;
  }

  /** Gives everything away. */
  take(): Uint8Array {
    const taken = this.#length === this.#buffer.length ? this.#buffer : this.#buffer.subarray(0, this.#length);
    this.#buffer = NOTHING;
    this.#length = 0;
    return taken;
  }
}
