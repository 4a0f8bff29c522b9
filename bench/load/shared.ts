// Memory that a load thread and the main thread share, so that the main thread can read a count without waking anyone.

const SLOTS = {
  /** Set to 1 by the main thread: the load ends. */
  stop: 0,
  /** Set to 1 by the main thread while samples are wanted. */
  record: 1,
  /** Set by the main thread: connections that are to be open. Roles that hold connections follow it. */
  wanted: 2,
  /** Bytes discarded by a sink. */
  bytes: 3,
  /** Connections open to the server, the proxy's handshake done. */
  opened: 4,
  /** Connections or exchanges brought to their end. */
  done: 5,
  failed: 6,
  /** Connections that turned out to be MPTCP. */
  mptcp: 7,
  sampleCount: 8,
} as const;

const HEADER = 16;

export type Slot = keyof typeof SLOTS;

/** Every slot is a double, written by one thread only. Bounded: `sampleMost` samples, further ones are dropped. */
export class SharedCounts {
  readonly memory: SharedArrayBuffer;
  readonly #slots: Float64Array;
  readonly #samples: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#slots = new Float64Array(memory, 0, HEADER);
    this.#samples = new Float64Array(memory, HEADER * 8);
  }

  static allocate(sampleMost: number): SharedCounts {
    return new SharedCounts(new SharedArrayBuffer((HEADER + sampleMost) * 8));
  }

  get(slot: Slot): number {
    return this.#slots[SLOTS[slot]] as number;
  }

  set(slot: Slot, value: number): void {
    this.#slots[SLOTS[slot]] = value;
  }

  add(slot: Slot, value: number): void {
    const i = SLOTS[slot];
    this.#slots[i] = (this.#slots[i] as number) + value;
  }

  addSample(sample: number): void {
    const count = this.get('sampleCount');
    if (count >= this.#samples.length) return;
    this.#samples[count] = sample;
    this.set('sampleCount', count + 1);
  }

  /** A copy of the samples so far. */
  samples(): Float64Array {
    return this.#samples.slice(0, this.get('sampleCount'));
  }
}
