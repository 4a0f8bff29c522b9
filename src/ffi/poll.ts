// ppoll(2): few descriptors, but a timeout in nanoseconds where epoll_wait only knows milliseconds.

import { declare, lastErrno } from './library.ts';
import { NativeBuffer } from './native-buffer.ts';

const c = { ppoll: declare('int ppoll(uintptr_t fds, unsigned long count, uintptr_t timeout, uintptr_t mask)') };

export const POLLIN = 0x1;
export const POLLERR = 0x8;

/** struct pollfd: int fd, short events, short revents. */
const POLLFD_SIZE = 8;
const EINTR = 4;

/** A fixed set of descriptors, each watched for reading. Owns none of them. */
export class PollSet {
  readonly #fds: NativeBuffer;
  readonly #count: number;
  /** struct timespec: long seconds, long nanoseconds. */
  readonly #timeout = new NativeBuffer(16);

  constructor(fds: readonly number[]) {
    this.#count = fds.length;
    this.#fds = new NativeBuffer(fds.length * POLLFD_SIZE);
    fds.forEach((fd, i) => {
      this.#fds.view.setInt32(i * POLLFD_SIZE, fd, true);
      this.#fds.view.setInt16(i * POLLFD_SIZE + 4, POLLIN, true);
    });
  }

  /** Waits up to `microseconds` (≥ 0, below 2^32 s); returns how many are ready, 0 also when a signal came; −errno. */
  wait(microseconds: number): number {
    const view = this.#timeout.view;
    const seconds = Math.floor(microseconds / 1e6);
    view.setUint32(0, seconds, true);
    view.setUint32(8, Math.floor((microseconds - seconds * 1e6) * 1e3), true);
    const ready = c.ppoll(this.#fds.address, this.#count, this.#timeout.address, 0);
    if (ready >= 0) return ready;
    const errno = lastErrno();
    return errno === EINTR ? 0 : -errno;
  }

  /** Mask of what the i-th descriptor of the last wait is ready for. */
  readyAt(i: number): number {
    return this.#fds.view.getInt16(i * POLLFD_SIZE + 6, true);
  }
}
