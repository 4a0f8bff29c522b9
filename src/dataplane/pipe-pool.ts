// Pipes for splice, kept for reuse: making one and sizing it costs three system calls and a page array.

import { close, pipe, setPipeSize } from '../ffi/descriptors.ts';
import { NativeBuffer } from '../ffi/native-buffer.ts';

export interface Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;
  /** Bytes it holds at the most, when every page is full. */
  readonly capacity: number;
}

/** What one pipe may hold: enough to move a megabyte with two calls. */
const PIPE_BYTES = 1 << 20;

/** Below this, copying through a buffer beats splicing (the kernel gives tiny pipes to users beyond their soft limit). */
const PIPE_BYTES_MIN = 1 << 16;

/** Bounded: at most `most` pipes exist at once, in use or idle, and at most `idleMost` of them idle. */
export class PipePool {
  readonly #idle: Pipe[] = [];
  readonly #pair = new NativeBuffer(8);
  readonly #most: number;
  readonly #idleMost: number;
  #open = 0;
  /** The kernel gave no pipe when last asked. There is no use in asking again before one has been closed. */
  #refused = false;

  constructor(most: number, idleMost: number) {
    this.#most = most;
    this.#idleMost = idleMost;
  }

  /** Pipes that exist, in use or idle. */
  get open(): number {
    return this.#open;
  }

  /** An empty pipe, the caller's until released; `undefined` when the bound is reached or the kernel has none. */
  acquire(): Pipe | undefined {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#open >= this.#most || this.#refused) return undefined;
    if (pipe(this.#pair) < 0) return this.#refuse();
    const readEnd = this.#pair.view.getInt32(0, true);
    const writeEnd = this.#pair.view.getInt32(4, true);
    const sized = setPipeSize(writeEnd, PIPE_BYTES);
    const capacity = sized > 0 ? sized : setPipeSize(writeEnd, PIPE_BYTES_MIN);
    this.#open++;
    const made = { readEnd, writeEnd, capacity };
    if (capacity >= PIPE_BYTES_MIN) return made;
    this.#close(made);
    return this.#refuse();
  }

  /** Takes a pipe back. One that still holds bytes is closed, so that they never reach another connection. */
  release(used: Pipe, isEmpty: boolean): void {
    if (isEmpty && this.#idle.length < this.#idleMost) this.#idle.push(used);
    else this.#close(used);
  }

  /** Closes the idle pipes. */
  drain(): void {
    for (const idle of this.#idle.splice(0)) this.#close(idle);
  }

  /** Refused with no pipe of ours to wait for: others may give some up, so the next caller asks again. */
  #refuse(): undefined {
    this.#refused = this.#open > 0;
  }

  #close(closing: Pipe): void {
    close(closing.readEnd);
    close(closing.writeEnd);
    this.#open--;
    this.#refused = false;
  }
}
