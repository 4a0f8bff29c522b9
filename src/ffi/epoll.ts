// epoll(7), with the one structure whose layout differs between x64 and arm64.

import { arch } from 'node:process';
import { declare, lastErrno } from './library.ts';
import { LinuxError, orThrow } from './linux-error.ts';
import { NativeBuffer } from './native-buffer.ts';

const c = {
  create: declare('int epoll_create1(int flags)'),
  ctl: declare('int epoll_ctl(int epfd, int op, int fd, uintptr_t event)'),
  wait: declare('int epoll_wait(int epfd, uintptr_t events, int count, int timeout)'),
};

export const EPOLLIN = 0x1;
export const EPOLLPRI = 0x2;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLHUP = 0x10;
export const EPOLLRDHUP = 0x2000;
export const EPOLLEXCLUSIVE = 0x10000000;
export const EPOLLET = 0x80000000;

const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
const EPOLL_CLOEXEC = 0o2000000;
const EINTR = 4;

/** struct epoll_event: u32 events, u64 data; packed on x86-64 only (EPOLL_PACKED in include/uapi/linux/eventpoll.h). */
export function epollEventLayout(architecture: string): { readonly size: number; readonly data: number } {
  return architecture === 'x64' ? { size: 12, data: 4 } : { size: 16, data: 8 };
}

const EPOLL_EVENT = epollEventLayout(arch);

/**
 * One epoll instance and its buffer of events. Owns its descriptor. Each watched descriptor carries a 32-bit tag by
 * which a late event for a closed descriptor is told from one for its successor.
 */
export class Epoll {
  readonly fd: number;
  readonly #events: NativeBuffer;
  readonly #capacity: number;
  readonly #one = new NativeBuffer(EPOLL_EVENT.size);

  constructor(capacity: number) {
    this.fd = orThrow(result(c.create(EPOLL_CLOEXEC)), 'epoll_create1');
    this.#capacity = capacity;
    this.#events = new NativeBuffer(capacity * EPOLL_EVENT.size);
  }

  /** Returns 0 or −errno (ENOSPC, ENOMEM, EPERM). */
  add(fd: number, events: number, tag: number): number {
    return this.#control(EPOLL_CTL_ADD, fd, events, tag);
  }

  modify(fd: number, events: number, tag: number): number {
    return this.#control(EPOLL_CTL_MOD, fd, events, tag);
  }

  /** Only for descriptors that stay open: closing removes by itself. */
  remove(fd: number): number {
    return this.#control(EPOLL_CTL_DEL, fd, 0, 0);
  }

  /**
   * Waits up to `timeoutMs` (−1: without end); returns the number of events, 0 also when a signal interrupted. Throws a
   * LinuxError when the descriptor is no epoll any more, which a caller that only counts events would spin on.
   */
  wait(timeoutMs: number): number {
    const ready = result(c.wait(this.fd, this.#events.address, this.#capacity, timeoutMs));
    if (ready >= 0) return ready;
    if (ready !== -EINTR) throw new LinuxError(-ready, 'epoll_wait');
    return 0;
  }

  /** Event mask of the i-th event of the last wait. */
  eventsAt(i: number): number {
    return this.#events.view.getUint32(i * EPOLL_EVENT.size, true);
  }

  fdAt(i: number): number {
    return this.#events.view.getUint32(i * EPOLL_EVENT.size + EPOLL_EVENT.data, true);
  }

  tagAt(i: number): number {
    return this.#events.view.getUint32(i * EPOLL_EVENT.size + EPOLL_EVENT.data + 4, true);
  }

  #control(op: number, fd: number, events: number, tag: number): number {
    const view = this.#one.view;
    view.setUint32(0, events, true);
    view.setUint32(EPOLL_EVENT.data, fd, true);
    view.setUint32(EPOLL_EVENT.data + 4, tag, true);
    return result(c.ctl(this.fd, op, fd, this.#one.address));
  }
}

function result(value: number): number {
  return value < 0 ? -lastErrno() : value;
}
