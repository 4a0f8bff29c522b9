// The far end of the spool, on the writer thread: reads entries in order, and knows which segments are done with.

import { type FileHandle, open } from 'node:fs/promises';
import { type Batch, type EventEntry, entriesOf, type FlowEntry, type PathSampleEntry } from './entry.ts';
import { FRAME_PAYLOAD_BYTES_MAX, FrameError, parseFrame } from './frame.ts';
import { type SpoolPosition, segmentPath } from './segments.ts';

/** Grows for a frame that is larger, up to FRAME_PAYLOAD_BYTES_MAX. */
const READ_BYTES = 512 * 1024;

export interface SpoolReaderOptions {
  readonly directory: string;
  /** A segment ends in the middle of a frame, or is damaged: what follows cannot be read. */
  readonly onDamaged: (segment: number, bytes: number) => void;
}

export class SpoolReader {
  readonly #options: SpoolReaderOptions;
  /** How much of each segment may be read, in order of their numbers. Bounded by the spool's own bound. */
  readonly #limits = new Map<number, number>();
  #file: FileHandle | undefined;
  #current: number | undefined;
  /** Up to where it was read. */
  #offset = 0;
  #held = Buffer.alloc(0);
  /** Entries read of the current segment. */
  #entries = 0;
  /** The last segment that was read to its end; 0: none. */
  #left = 0;
  /** Read to the end, but not yet stored. */
  #read: number[] = [];
  /** Found to be gone before that was said. Bounded like the segments. */
  readonly #missing = new Set<number>();
  #lost = 0;

  constructor(options: SpoolReaderOptions) {
    this.#options = options;
  }

  /** So much of a segment can be read. Segments become known in the order of their numbers. */
  onWritten(segment: number, bytes: number): void {
    this.#limits.set(segment, bytes);
  }

  /** The segment's file is gone. One that is open is still read to its end. */
  onDropped(segment: number, entries: number): void {
    if (segment === this.#current) return;
    if (this.#limits.delete(segment) || this.#missing.delete(segment)) this.#lost += entries;
  }

  /** Entries dropped before they were read, since the last call. */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  get hasMore(): boolean {
    for (const [segment, limit] of this.#limits) {
      if (segment !== this.#current ? limit > 0 : limit > this.#offset) return true;
    }
    return false;
  }

  /** About so many entries; none when all has been read. They are done with once `finish` is called. */
  async next(entriesMax: number): Promise<Batch> {
    const flows: FlowEntry[] = [];
    const samples: PathSampleEntry[] = [];
    const events: EventEntry[] = [];
    const batch = { flows, samples, events };
    while (entriesOf(batch) < entriesMax) {
      const part = await this.#nextFrame();
      if (part === undefined) break;
      flows.push(...part.flows);
      samples.push(...part.samples);
      events.push(...part.events);
    }
    return batch;
  }

  /** Up to where it was read. */
  get position(): SpoolPosition {
    if (this.#current === undefined) return { segment: this.#left + 1, bytes: 0, entries: 0 };
    return { segment: this.#current, bytes: this.#offset - this.#held.length, entries: this.#entries };
  }

  /** All that was read is stored. Returns the segments that nobody needs any more. */
  finish(): number[] {
    const done = this.#read;
    this.#read = [];
    return done;
  }

  /** The segments still held once all has been read; for the end. */
  async close(): Promise<number[]> {
    await this.#file?.close();
    this.#file = undefined;
    return this.hasMore ? [] : [...this.#limits.keys()];
  }

  async #nextFrame(): Promise<Batch | undefined> {
    for (;;) {
      if (this.#file === undefined && !(await this.#openFirst())) return undefined;
      const batch = await this.#readFrame();
      if (batch !== undefined) {
        this.#entries += entriesOf(batch);
        return batch;
      }
      if (!this.#isFinished()) return undefined;
      await this.#leave();
    }
  }

  async #openFirst(): Promise<boolean> {
    for (const segment of this.#limits.keys()) {
      try {
        this.#file = await open(segmentPath(this.#options.directory, segment), 'r');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
        // Announced before it was made, or dropped and not yet told.
        if (this.#limits.get(segment) === 0 && !this.#hasLater(segment)) return false;
        this.#limits.delete(segment);
        this.#missing.add(segment);
        continue;
      }
      this.#current = segment;
      this.#offset = 0;
      this.#entries = 0;
      this.#held = Buffer.alloc(0);
      return true;
    }
    return false;
  }

  async #readFrame(): Promise<Batch | undefined> {
    let want = READ_BYTES;
    for (;;) {
      const frame = this.#parse();
      if (frame === 'damaged') return undefined;
      if (frame !== undefined) return frame;
      const limit = this.#limits.get(this.#current as number) ?? 0;
      const bytes = Math.min(want, limit - this.#offset);
      if (bytes <= 0) return undefined;
      const chunk = Buffer.allocUnsafe(bytes);
      const { bytesRead } = await (this.#file as FileHandle).read(chunk, 0, bytes, this.#offset);
      if (bytesRead === 0) return undefined;
      this.#offset += bytesRead;
      this.#held = Buffer.concat([this.#held, chunk.subarray(0, bytesRead)]);
      want = Math.min(want * 2, FRAME_PAYLOAD_BYTES_MAX);
    }
  }

  #parse(): Batch | 'damaged' | undefined {
    try {
      const frame = parseFrame(this.#held);
      if (frame === undefined) return undefined;
      this.#held = this.#held.subarray(frame.bytesRead);
      return frame.value;
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      // Nothing tells where the next frame begins: the rest is left.
      this.#offset = Math.max(this.#offset, this.#limits.get(this.#current as number) ?? 0);
      return 'damaged';
    }
  }

  /** No more will be written to the current segment. */
  #isFinished(): boolean {
    return this.#hasLater(this.#current as number);
  }

  #hasLater(segment: number): boolean {
    for (const other of this.#limits.keys()) if (other > segment) return true;
    return false;
  }

  async #leave(): Promise<void> {
    const segment = this.#current as number;
    if (this.#held.length > 0) this.#options.onDamaged(segment, this.#held.length);
    await this.#file?.close();
    this.#file = undefined;
    this.#current = undefined;
    this.#left = segment;
    this.#held = Buffer.alloc(0);
    this.#limits.delete(segment);
    this.#read.push(segment);
  }
}
