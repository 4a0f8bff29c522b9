// Memory that the kernel may read and write: bytes outside the garbage collector's heap, at a fixed address.

import { addressOf } from './library.ts';

/**
 * A fixed block of memory with its address. The block lives as long as this object: keep the object referenced for as
 * long as the kernel holds the address. Every native call clamps its length to `size`, so a wrong length can truncate
 * but never overrun.
 */
export class NativeBuffer {
  readonly size: number;
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(size: number) {
    // A Uint8Array made from a length may live inside the moving heap; one over its own ArrayBuffer never does.
    const memory = new ArrayBuffer(Math.max(size, 1));
    this.size = size;
    this.bytes = new Uint8Array(memory, 0, size);
    this.view = new DataView(memory, 0, size);
    this.address = addressOf(new Uint8Array(memory));
  }

  /** How many of `length` bytes from `offset` on lie inside the block. Throws a RangeError on a bad offset. */
  clamp(offset: number, length: number): number {
    if (!(offset >= 0 && offset <= this.size)) throw new RangeError(`offset ${offset} outside 0–${this.size}`);
    const room = this.size - offset;
    return length < room ? (length < 0 ? 0 : length) : room;
  }
}

/** A native copy of `bytes`. */
export function nativeCopy(bytes: Uint8Array): NativeBuffer {
  const buffer = new NativeBuffer(bytes.length);
  buffer.bytes.set(bytes);
  return buffer;
}
