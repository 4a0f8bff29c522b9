// Socket calls. Each returns what the call returns, or −errno: failing with EAGAIN is a data plane's daily business,
// and an exception costs more than the call. `orThrow` turns the rest into a LinuxError.

import { declare, lastErrno } from './library.ts';
import type { NativeBuffer } from './native-buffer.ts';

const c = {
  socket: declare('int socket(int domain, int type, int protocol)'),
  socketpair: declare('int socketpair(int domain, int type, int protocol, uintptr_t pair)'),
  bind: declare('int bind(int fd, uintptr_t address, int length)'),
  listen: declare('int listen(int fd, int backlog)'),
  accept4: declare('int accept4(int fd, uintptr_t address, uintptr_t length, int flags)'),
  connect: declare('int connect(int fd, uintptr_t address, int length)'),
  getsockname: declare('int getsockname(int fd, uintptr_t address, uintptr_t length)'),
  getpeername: declare('int getpeername(int fd, uintptr_t address, uintptr_t length)'),
  setsockopt: declare('int setsockopt(int fd, int level, int name, uintptr_t value, int length)'),
  getsockopt: declare('int getsockopt(int fd, int level, int name, uintptr_t value, uintptr_t length)'),
  shutdown: declare('int shutdown(int fd, int how)'),
  recv: declare('long recv(int fd, uintptr_t buffer, long length, int flags)'),
  send: declare('long send(int fd, uintptr_t buffer, long length, int flags)'),
  sendto: declare('long sendto(int fd, uintptr_t buffer, long length, int flags, uintptr_t address, int addrlen)'),
  recvfrom: declare('long recvfrom(int fd, uintptr_t buffer, long length, int flags, uintptr_t address, uintptr_t n)'),
};

function result(value: number): number {
  return value < 0 ? -lastErrno() : value;
}

export function socket(domain: number, type: number, protocol: number): number {
  return result(c.socket(domain, type, protocol));
}

/** Fills the first two 32-bit words of `pair` with descriptors. */
export function socketpair(domain: number, type: number, protocol: number, pair: NativeBuffer): number {
  if (pair.size < 8) return -22;
  return result(c.socketpair(domain, type, protocol, pair.address));
}

export function bind(fd: number, address: NativeBuffer, length: number): number {
  return result(c.bind(fd, address.address, address.clamp(0, length)));
}

export function listen(fd: number, backlog: number): number {
  return result(c.listen(fd, backlog));
}

/** `length` holds the size of `address` on the way in and of what was written on the way out (u32). */
export function accept4(fd: number, address: NativeBuffer, length: NativeBuffer, flags: number): number {
  length.view.setUint32(0, address.size, true);
  return result(c.accept4(fd, address.address, length.address, flags));
}

export function connect(fd: number, address: NativeBuffer, length: number): number {
  return result(c.connect(fd, address.address, address.clamp(0, length)));
}

export function getsockname(fd: number, address: NativeBuffer, length: NativeBuffer): number {
  length.view.setUint32(0, address.size, true);
  return result(c.getsockname(fd, address.address, length.address));
}

export function getpeername(fd: number, address: NativeBuffer, length: NativeBuffer): number {
  length.view.setUint32(0, address.size, true);
  return result(c.getpeername(fd, address.address, length.address));
}

export function setsockopt(fd: number, level: number, name: number, value: NativeBuffer, length: number): number {
  return result(c.setsockopt(fd, level, name, value.address, value.clamp(0, length)));
}

/** Reads an option into `value`; returns the length the kernel wrote, or −errno. `length` is scratch space (u32). */
export function getsockopt(fd: number, level: number, name: number, value: NativeBuffer, length: NativeBuffer): number {
  length.view.setUint32(0, value.size, true);
  const status = c.getsockopt(fd, level, name, value.address, length.address);
  return status < 0 ? -lastErrno() : length.view.getUint32(0, true);
}

export function shutdown(fd: number, how: number): number {
  return result(c.shutdown(fd, how));
}

export function recv(fd: number, buffer: NativeBuffer, offset: number, length: number, flags: number): number {
  return result(c.recv(fd, buffer.address + offset, buffer.clamp(offset, length), flags));
}

export function send(fd: number, buffer: NativeBuffer, offset: number, length: number, flags: number): number {
  return result(c.send(fd, buffer.address + offset, buffer.clamp(offset, length), flags));
}

export function sendto(
  fd: number,
  buffer: NativeBuffer,
  length: number,
  flags: number,
  address: NativeBuffer,
  addressLength: number,
): number {
  const bytes = buffer.clamp(0, length);
  return result(c.sendto(fd, buffer.address, bytes, flags, address.address, address.clamp(0, addressLength)));
}

export function recvfrom(
  fd: number,
  buffer: NativeBuffer,
  flags: number,
  address: NativeBuffer,
  length: NativeBuffer,
): number {
  length.view.setUint32(0, address.size, true);
  return result(c.recvfrom(fd, buffer.address, buffer.size, flags, address.address, length.address));
}
