// One direction of a relay. Bytes go through a pipe (splice) or through one reused buffer (recv, send), never through
// the JavaScript heap; what the destination does not take at once waits in the pipe or in a stash, and nothing more is
// read until it has gone.

import { splice } from '../ffi/descriptors.ts';
import { NativeBuffer } from '../ffi/native-buffer.ts';
import type { Connection } from './connection.ts';
import type { Pipe, PipePool } from './pipe-pool.ts';

const EAGAIN = 11;

/** A direction that has moved this much, or filled a read, is a bulk transfer and worth a pipe. */
const BULK_BYTES = 1 << 16;
/** Read at once into the buffer. Fits the second-level cache; larger reads are slower. Also the bound of a stash. */
const COPY_BYTES = 1 << 18;
/** Spliced at once; the pipe holds more, but larger bites leave the cache before they are sent on. */
const SPLICE_BYTES = 1 << 19;
/** Moved before others get their turn. */
const SHARE_BYTES = 1 << 21;

/** Told how many bytes have moved. */
export interface ByteCounters {
  add(name: 'bytesUp' | 'bytesDown', bytes: number): void;
}

/** What one thread's pumps share. */
export class PumpResources {
  readonly pipes: PipePool;
  readonly counters: ByteCounters;
  readonly buffer = new NativeBuffer(COPY_BYTES);

  constructor(pipes: PipePool, counters: ByteCounters) {
    this.pipes = pipes;
    this.counters = counters;
  }
}

/**
 * `waiting`: for the source or the destination; `share-used`: there is more to do at once; `ended`: the source's end
 * was reached and all of it delivered; `from-failed`, `to-failed`: see `errno`.
 */
export type PumpStatus = 'waiting' | 'share-used' | 'ended' | 'from-failed' | 'to-failed';

/** Owns its pipe and its stash, at most one pipe's capacity or COPY_BYTES of bytes under way. */
export class Pump {
  readonly from: Connection;
  readonly to: Connection;
  /** Delivered to the destination. */
  bytes = 0;
  /** Why it failed. */
  errno = 0;
  /** The source's end was read; nothing more will come. */
  sourceEnded = false;
  #pipe: Pipe | undefined;
  /** Bytes in the pipe. */
  #piped = 0;
  #stash: NativeBuffer | undefined;
  #stashAt = 0;
  #bulk = false;
  readonly #resources: PumpResources;
  readonly #spliceable: boolean;

  constructor(from: Connection, to: Connection, resources: PumpResources) {
    this.from = from;
    this.to = to;
    this.#resources = resources;
    // Reading MPTCP by splice makes the kernel allocate pages for the whole length asked for and copy into them; and
    // MPTCP copies what is spliced into it page by page. Both are slower than recv and send on one warm buffer.
    this.#spliceable = !from.isMptcp && !to.isMptcp;
  }

  /** Bytes read and not yet delivered. */
  get held(): number {
    return this.#piped + (this.#stash === undefined ? 0 : this.#stash.size - this.#stashAt);
  }

  /** Puts bytes that were read before the relay began ahead of all others. The bytes are copied. Call at most once. */
  prepend(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#stash = new NativeBuffer(bytes.length);
    this.#stash.bytes.set(bytes);
    this.#stashAt = 0;
  }

  /** Moves what can be moved now, up to a fair share. */
  run(): PumpStatus {
    const { from, to } = this;
    const stopAt = this.bytes + SHARE_BYTES;
    for (;;) {
      if (this.held > 0) {
        if (!to.writable) return 'waiting';
        if (!this.#flush()) return this.errno === 0 ? 'waiting' : 'to-failed';
      }
      if (this.sourceEnded) return 'ended';
      if (!from.readable) {
        this.#releasePipe();
        return 'waiting';
      }
      // Without room there is no use in reading: the bytes are as well kept in the socket.
      if (!to.writable) return 'waiting';
      if (this.bytes >= stopAt) return 'share-used';
      const status = this.#bulk && this.#usePipe() ? this.#fillPipe() : this.#copy();
      if (status < 0) return this.#fail(-status, 'from-failed');
      if (this.errno !== 0) return 'to-failed';
    }
  }

  /** Gives back what it holds; undelivered bytes are lost. */
  dispose(): void {
    if (this.#pipe !== undefined) this.#resources.pipes.release(this.#pipe, this.#piped === 0);
    this.#pipe = undefined;
    this.#stash = undefined;
    this.#piped = 0;
  }

  #fail(errno: number, status: PumpStatus): PumpStatus {
    this.errno = errno;
    return status;
  }

  /** Delivers what is held; false when the destination is full or failed. */
  #flush(): boolean {
    while (this.#stash !== undefined) {
      const length = this.#stash.size - this.#stashAt;
      const put = this.to.send(this.#stash, this.#stashAt, length);
      if (put < 0) return this.#refused(-put);
      this.bytes += put;
      this.#stashAt += put;
      if (this.#stashAt === this.#stash.size) this.#stash = undefined;
    }
    while (this.#piped > 0 && this.#pipe !== undefined) {
      const put = splice(this.#pipe.readEnd, this.to.fd, this.#piped, false);
      if (put < 0) {
        if (put === -EAGAIN) this.to.writable = false;
        return this.#refused(-put);
      }
      this.bytes += put;
      this.#piped -= put;
    }
    return true;
  }

  #refused(errno: number): boolean {
    if (errno !== EAGAIN) this.errno = errno;
    return false;
  }

  /** Reads once into the shared buffer and delivers it; what is left over goes to the stash. */
  #copy(): number {
    const { buffer } = this.#resources;
    const want = this.#bulk ? COPY_BYTES : BULK_BYTES;
    const got = this.from.receive(buffer, want);
    if (got < 0) return got === -EAGAIN ? 0 : got;
    if (got === 0) {
      this.sourceEnded = true;
      return 0;
    }
    const put = this.to.send(buffer, 0, got);
    const taken = put < 0 ? 0 : put;
    if (put < 0) this.#refused(-put);
    this.bytes += taken;
    if (taken < got) {
      this.#stash = new NativeBuffer(got - taken);
      this.#stash.bytes.set(buffer.bytes.subarray(taken, got));
      this.#stashAt = 0;
    }
    if (!this.#bulk && (got === want || this.bytes >= BULK_BYTES)) this.#bulk = true;
    return 0;
  }

  #usePipe(): boolean {
    if (!this.#spliceable || this.from.urgent) return false;
    this.#pipe ??= this.#resources.pipes.acquire();
    return this.#pipe !== undefined;
  }

  #fillPipe(): number {
    const pipe = this.#pipe as Pipe;
    const got = splice(this.from.fd, pipe.writeEnd, SPLICE_BYTES, false);
    if (got === -EAGAIN) {
      // The pipe is empty here, so it is the source that has nothing.
      this.from.readable = false;
      return 0;
    }
    if (got < 0) return got;
    if (got === 0) this.sourceEnded = true;
    this.#piped = got;
    return 0;
  }

  #releasePipe(): void {
    if (this.#pipe === undefined) return;
    this.#resources.pipes.release(this.#pipe, this.#piped === 0);
    this.#pipe = undefined;
  }
}
