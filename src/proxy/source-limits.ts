// How many connections there are, in all and from one source, counted over all threads in shared memory.
//
// Sources are counted in two tables of hashed slots (a count-min sketch): the smaller of a source's two counts is never
// too low, and too high only when other busy sources share both of its slots. It is bounded, whatever comes in.

const SLOTS = 1 << 14;
/** In 32-bit words: the total, then the two tables. */
const WORDS = 1 + 2 * SLOTS;

export function allocateSourceLimits(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORDS * 4);
}

export class SourceLimits {
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  get total(): number {
    return Atomics.load(this.#words, 0);
  }

  /** Counts a connection in; false, and not counted, when a limit is reached. Each success needs one `leave`. */
  enter(source: string, totalMax: number, perSourceMax: number): boolean {
    const [first, second] = slotsOf(source);
    const total = Atomics.add(this.#words, 0, 1);
    const inFirst = Atomics.add(this.#words, first, 1);
    const inSecond = Atomics.add(this.#words, second, 1);
    if (total < totalMax && Math.min(inFirst, inSecond) < perSourceMax) return true;
    this.leave(source);
    return false;
  }

  leave(source: string): void {
    const [first, second] = slotsOf(source);
    Atomics.sub(this.#words, 0, 1);
    Atomics.sub(this.#words, first, 1);
    Atomics.sub(this.#words, second, 1);
  }
}

/** FNV-1a and a variant with another start and a final mix. */
function slotsOf(source: string): [number, number] {
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  for (let i = 0; i < source.length; i++) {
    const code = source.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x85ebca6b);
    b ^= b >>> 13;
  }
  return [1 + ((a ^ (a >>> 15)) & (SLOTS - 1)), 1 + SLOTS + ((b ^ (b >>> 16)) & (SLOTS - 1))];
}
