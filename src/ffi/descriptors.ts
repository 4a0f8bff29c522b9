// Calls on descriptors of any kind. Results as in sockets.ts: the call's own, or −errno.

import { declare, lastErrno } from './library.ts';
import { LinuxError } from './linux-error.ts';
import { NativeBuffer } from './native-buffer.ts';

const c = {
  close: declare('int close(int fd)'),
  fcntl: declare('int fcntl(int fd, int command, int argument)'),
  pipe2: declare('int pipe2(uintptr_t pair, int flags)'),
  splice: declare('long splice(int from, uintptr_t o1, int to, uintptr_t o2, long length, unsigned int flags)'),
  read: declare('long read(int fd, uintptr_t buffer, long length)'),
  write: declare('long write(int fd, uintptr_t buffer, long length)'),
  eventfd: declare('int eventfd(unsigned int initial, int flags)'),
};

const F_DUPFD_CLOEXEC = 1030;
const F_GETFL = 3;
const F_SETFL = 4;
const F_SETPIPE_SZ = 1031;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const SPLICE_F_MOVE = 1;
const SPLICE_F_NONBLOCK = 2;
const SPLICE_F_MORE = 4;

function result(value: number): number {
  return value < 0 ? -lastErrno() : value;
}

export function close(fd: number): number {
  return result(c.close(fd));
}

/** A second descriptor for the same open file, closed on exec. */
export function duplicate(fd: number): number {
  return result(c.fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

export function setNonblocking(fd: number): number {
  const flags = result(c.fcntl(fd, F_GETFL, 0));
  return flags < 0 ? flags : result(c.fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

/** A non-blocking pipe; fills the first two 32-bit words of `pair` with its reading and its writing end. */
export function pipe(pair: NativeBuffer): number {
  if (pair.size < 8) return -22;
  return result(c.pipe2(pair.address, O_NONBLOCK | O_CLOEXEC));
}

/** Asks for room for `bytes`; returns what the kernel gave (a power of two of pages), or −errno. */
export function setPipeSize(fd: number, bytes: number): number {
  return result(c.fcntl(fd, F_SETPIPE_SZ, bytes));
}

/** Moves up to `length` bytes without copying them to user space; one of the two is a pipe. `more`: more will follow. */
export function splice(from: number, to: number, length: number, more: boolean): number {
  const flags = more ? SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE : SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
  return result(c.splice(from, 0, to, 0, length, flags));
}

export function read(fd: number, buffer: NativeBuffer, length: number): number {
  return result(c.read(fd, buffer.address, buffer.clamp(0, length)));
}

export function write(fd: number, buffer: NativeBuffer, length: number): number {
  return result(c.write(fd, buffer.address, buffer.clamp(0, length)));
}

/** A non-blocking event counter. Throws a LinuxError. */
export function openEventfd(): number {
  const fd = c.eventfd(0, O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) throw new LinuxError(lastErrno(), 'eventfd');
  return fd;
}

const one = new NativeBuffer(8);
one.view.setBigUint64(0, 1n, true);

/** Adds one to an event counter, which wakes whoever polls it. Never blocks. */
export function signalEventfd(fd: number): void {
  c.write(fd, one.address, 8);
}

const count = new NativeBuffer(8);

/** Resets an event counter to zero. */
export function drainEventfd(fd: number): void {
  c.read(fd, count.address, 8);
}
