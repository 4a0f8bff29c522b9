// The near end of the spool: takes entries on the main thread and appends them to the active segment. Nothing here
// waits for a disk: writes are asynchronous, one at a time, and what they cannot take yet waits in bounded memory.

import { type FileHandle, open, unlink } from 'node:fs/promises';
import { type Batch, EMPTY_BATCH, type EventEntry, type FlowEntry, type PathSampleEntry } from './entry.ts';
import { encodeFrame, parseFrameHeader } from './frame.ts';
import { listSegments, type Segment, type SpoolPosition, segmentPath } from './segments.ts';

/** How long entries gather before they become a frame. */
const GATHER_MS = 50;
/** No more than this gather, however fast they come. */
const GATHER_ENTRIES_MAX = 4_096;
/** Entries of one frame: a compromise between bytes lost to one torn frame and work for each. */
const FRAME_ENTRIES_MAX = 256;
/** What a kill of the machine may cost. */
const SYNC_MS = 1_000;
/** Frames that wait for the disk, in bytes; beyond that the oldest go. Some 40,000 flows. */
const WAITING_BYTES_MAX = 48 << 20;
/**
 * At once; less after a failure, for a disk that is nearly full takes the smaller write. A busy main thread comes to the
 * next write only a few times in a second, so this much has to be worth the wait.
 */
const WRITE_BYTES_MAX = 4 << 20;
const WRITE_BYTES_MIN = 1 << 14;
const SEGMENT_BYTES_MAX = 8 << 20;
const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 5_000;

export interface SpoolWriterOptions {
  readonly directory: string;
  /** All segments together; beyond that the oldest go. */
  readonly bytesMax: number;
  /** So much of a segment can be read now. */
  readonly onWritten: (segment: number, bytes: number) => void;
  /** A segment had to go to keep the bound; how many of its entries were not stored is the reader's to say. */
  readonly onDropped: (segment: number, entries: number) => void;
  /** Entries were lost in memory, because the disk takes nothing. */
  readonly onLost: (entries: number) => void;
  /** The spool cannot be written; undefined: it can again. */
  readonly onTrouble: (error: Error | undefined) => void;
}

/** What has not gone on yet. */
export interface Waiting {
  readonly entries: number;
  /** As frames: entries that only gather have none yet. */
  readonly bytes: number;
}

interface Gathered {
  readonly flows: FlowEntry[];
  readonly samples: PathSampleEntry[];
  readonly events: EventEntry[];
}

export class SpoolWriter {
  /** What earlier processes left, in order. */
  readonly leftBehind: readonly Segment[];
  readonly #options: SpoolWriterOptions;
  readonly #segmentBytesMax: number;
  #gathered: Gathered = { flows: [], samples: [], events: [] };
  #gatherTimer: NodeJS.Timeout | undefined;
  /** Bounded by WAITING_BYTES_MAX. */
  #frames: Buffer[] = [];
  #waitingBytes = 0;
  /** Bytes and entries by number. Bounded by bytesMax. */
  readonly #segments = new Map<number, { bytes: number; entries: number }>();
  #totalBytes = 0;
  #active: { readonly number: number; readonly file: FileHandle } | undefined;
  #nextNumber: number;
  #pumping: Promise<void> | undefined;
  #unsynced = false;
  readonly #syncTimer: NodeJS.Timeout;
  #retryTimer: NodeJS.Timeout | undefined;
  #retryMs = RETRY_MS_MIN;
  #troubled = false;
  #writeBytesMax: number;
  #closed = false;

  /** Rejects with Node's error when the directory cannot be had. */
  static async open(options: SpoolWriterOptions): Promise<SpoolWriter> {
    return new SpoolWriter(options, await listSegments(options.directory));
  }

  private constructor(options: SpoolWriterOptions, leftBehind: readonly Segment[]) {
    this.#options = options;
    this.#segmentBytesMax = Math.min(SEGMENT_BYTES_MAX, Math.ceil(options.bytesMax / 8));
    this.#writeBytesMax = Math.min(WRITE_BYTES_MAX, this.#segmentBytesMax);
    this.leftBehind = leftBehind;
    for (const { number, bytes, entries } of leftBehind) {
      this.#segments.set(number, { bytes, entries });
      this.#totalBytes += bytes;
    }
    this.#nextNumber = (leftBehind.at(-1)?.number ?? 0) + 1;
    this.#syncTimer = setInterval(() => void this.#sync(), SYNC_MS).unref();
  }

  /** Of all segments on disk. */
  get bytes(): number {
    return this.#totalBytes;
  }

  /** The first segment that may still grow, or be made. */
  get activeFrom(): number {
    return this.#active?.number ?? this.#nextNumber;
  }

  /** Waiting for the disk, in memory. */
  get queue(): Waiting {
    const { flows, samples, events } = this.#gathered;
    const gathered = flows.length + samples.length + events.length;
    const entries = this.#frames.reduce((sum, frame) => sum + entriesIn(frame), gathered);
    return { entries, bytes: this.#waitingBytes };
  }

  /** Waiting for the database, on disk, when it has stored all up to here; undefined: nothing of it. */
  waitingAfter(stored: SpoolPosition | undefined): Waiting {
    let entries = 0;
    let bytes = 0;
    for (const [number, segment] of this.#segments) {
      if (number < (stored?.segment ?? 0)) continue;
      const isPartly = number === stored?.segment;
      entries += Math.max(0, segment.entries - (isPartly ? stored.entries : 0));
      bytes += Math.max(0, segment.bytes - (isPartly ? stored.bytes : 0));
    }
    return { entries, bytes };
  }

  append({ flows, samples, events }: Batch): void {
    if (this.#closed) return;
    for (const flow of flows) this.#gathered.flows.push(flow);
    for (const sample of samples) this.#gathered.samples.push(sample);
    for (const event of events) this.#gathered.events.push(event);
    const count = this.#gathered.flows.length + this.#gathered.samples.length + this.#gathered.events.length;
    if (count >= GATHER_ENTRIES_MAX) this.#flush();
    else this.#gatherTimer ??= setTimeout(() => this.#flush(), GATHER_MS);
  }

  /** All entries of this segment are in the database. */
  async remove(number: number): Promise<void> {
    const segment = this.#segments.get(number);
    if (segment === undefined) return;
    if (this.#active?.number === number) {
      if (!this.#closed) return;
      await this.#leaveActive();
    }
    this.#forget(number, segment.bytes);
    await unlink(segmentPath(this.#options.directory, number)).catch(() => {});
    // It has made room.
    if (this.#retryTimer !== undefined && !this.#closed) this.#retry();
  }

  /** Writes what is in memory, as far as the disk takes it. Segments can still be removed afterwards. */
  async close(): Promise<void> {
    this.#flush();
    this.#closed = true;
    clearInterval(this.#syncTimer);
    clearTimeout(this.#retryTimer);
    await this.#pump();
    clearTimeout(this.#retryTimer);
    await this.#sync();
    const lost = this.#frames.reduce((sum, frame) => sum + entriesIn(frame), 0);
    if (lost > 0) this.#options.onLost(lost);
  }

  /** Lets the active segment go; the last call. */
  async end(): Promise<void> {
    await this.#leaveActive();
  }

  #flush(): void {
    clearTimeout(this.#gatherTimer);
    this.#gatherTimer = undefined;
    const { flows, samples, events } = this.#gathered;
    this.#gathered = { flows: [], samples: [], events: [] };
    for (let at = 0; at < flows.length; at += FRAME_ENTRIES_MAX) {
      this.#enqueue({ ...EMPTY_BATCH, flows: flows.slice(at, at + FRAME_ENTRIES_MAX) });
    }
    for (let at = 0; at < Math.max(samples.length, events.length); at += FRAME_ENTRIES_MAX) {
      const end = at + FRAME_ENTRIES_MAX;
      this.#enqueue({ flows: [], samples: samples.slice(at, end), events: events.slice(at, end) });
    }
    void this.#pump();
  }

  #enqueue(batch: Batch): void {
    const frame = encodeFrame(batch);
    if (frame === undefined) {
      this.#options.onLost(batch.flows.length + batch.samples.length + batch.events.length);
      return;
    }
    this.#frames.push(frame);
    this.#waitingBytes += frame.length;
    let lost = 0;
    while (this.#waitingBytes > WAITING_BYTES_MAX && this.#frames.length > 1) {
      const oldest = this.#frames.shift() as Buffer;
      this.#waitingBytes -= oldest.length;
      lost += entriesIn(oldest);
    }
    if (lost > 0) this.#options.onLost(lost);
  }

  #pump(): Promise<void> {
    if (this.#retryTimer !== undefined && !this.#closed) return Promise.resolve();
    this.#pumping ??= this.#writeAll().finally(() => {
      this.#pumping = undefined;
    });
    return this.#pumping;
  }

  async #writeAll(): Promise<void> {
    while (this.#frames.length > 0) {
      const frames = this.#takeFrames();
      try {
        await this.#write(frames);
      } catch (error) {
        this.#putBack(frames);
        await this.#onFailure(error as Error);
        return;
      }
      this.#writeBytesMax = Math.min(this.#writeBytesMax * 2, WRITE_BYTES_MAX, this.#segmentBytesMax);
      this.#retryMs = RETRY_MS_MIN;
      await this.#keepBound();
    }
    // Only now: on a disk that is nearly full, failures and small successes take turns.
    if (this.#troubled) this.#options.onTrouble(undefined);
    this.#troubled = false;
  }

  #takeFrames(): Buffer[] {
    let bytes = 0;
    const end = this.#frames.findIndex((frame) => {
      bytes += frame.length;
      return bytes > this.#writeBytesMax;
    });
    const frames = this.#frames.splice(0, end === -1 ? this.#frames.length : Math.max(end, 1));
    for (const frame of frames) this.#waitingBytes -= frame.length;
    return frames;
  }

  #putBack(frames: readonly Buffer[]): void {
    this.#frames.unshift(...frames);
    for (const frame of frames) this.#waitingBytes += frame.length;
  }

  async #write(frames: readonly Buffer[]): Promise<void> {
    const { number, file } = await this.#roomyActive();
    const segment = this.#segments.get(number) as { bytes: number; entries: number };
    const bytes = Buffer.concat(frames);
    for (let at = 0; at < bytes.length; ) {
      // A disk that fills up takes a part, and fails at the next call.
      const { bytesWritten } = await file.write(bytes, at, bytes.length - at, segment.bytes + at);
      at += bytesWritten;
    }
    segment.bytes += bytes.length;
    segment.entries += frames.reduce((sum, frame) => sum + entriesIn(frame), 0);
    this.#totalBytes += bytes.length;
    this.#unsynced = true;
    this.#options.onWritten(number, segment.bytes);
  }

  async #roomyActive(): Promise<{ readonly number: number; readonly file: FileHandle }> {
    const active = this.#active;
    if (active !== undefined && (this.#segments.get(active.number)?.bytes ?? 0) < this.#segmentBytesMax) return active;
    await this.#leaveActive();
    const number = this.#nextNumber;
    const file = await open(segmentPath(this.#options.directory, number), 'w', 0o600);
    this.#nextNumber++;
    this.#active = { number, file };
    this.#segments.set(number, { bytes: 0, entries: 0 });
    return this.#active;
  }

  async #leaveActive(): Promise<void> {
    const active = this.#active;
    if (active === undefined) return;
    await this.#sync();
    this.#active = undefined;
    await active.file.close().catch(() => {});
  }

  /** The next try begins a segment of its own: then this one can be stored and removed, which may be what makes room. */
  async #onFailure(error: Error): Promise<void> {
    const active = this.#active;
    if (active !== undefined) {
      // What was written in part is torn off; if even that fails, the reader stops at the wrong CRC.
      await active.file.truncate(this.#segments.get(active.number)?.bytes ?? 0).catch(() => {});
      await this.#leaveActive();
      this.#options.onWritten(this.#nextNumber, 0);
    }
    if (!this.#troubled) this.#options.onTrouble(error);
    this.#troubled = true;
    this.#writeBytesMax = Math.min(WRITE_BYTES_MIN, this.#segmentBytesMax);
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(() => this.#retry(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
  }

  #retry(): void {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    void this.#pump();
  }

  async #keepBound(): Promise<void> {
    for (const [number, { bytes, entries }] of this.#segments) {
      if (this.#totalBytes <= this.#options.bytesMax || number === this.#active?.number) return;
      this.#forget(number, bytes);
      this.#options.onDropped(number, entries);
      await unlink(segmentPath(this.#options.directory, number)).catch(() => {});
    }
  }

  #forget(number: number, bytes: number): void {
    this.#segments.delete(number);
    this.#totalBytes -= bytes;
  }

  async #sync(): Promise<void> {
    if (!this.#unsynced || this.#active === undefined) return;
    this.#unsynced = false;
    try {
      await this.#active.file.datasync();
    } catch (error) {
      if (!this.#troubled) this.#options.onTrouble(error as Error);
      this.#troubled = true;
    }
  }
}

function entriesIn(frame: Buffer): number {
  return parseFrameHeader(frame)?.count ?? 0;
}
