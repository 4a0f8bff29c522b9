// Errnos by name, and the error that carries one.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { close, read, setNonblocking } from '#anabranch/ffi/descriptors.js';
import { Errno, errnoName, LinuxError, orThrow } from '#anabranch/ffi/linux-error.js';
import { NativeBuffer } from '#anabranch/ffi/native-buffer.js';
import { socket } from '#anabranch/ffi/sockets.js';

/** From include/uapi/asm-generic/errno-base.h and errno.h. */
const NAMES: readonly (readonly [number, string])[] = [
  [1, 'EPERM'],
  [2, 'ENOENT'],
  [4, 'EINTR'],
  [9, 'EBADF'],
  [11, 'EAGAIN'],
  [13, 'EACCES'],
  [22, 'EINVAL'],
  [24, 'EMFILE'],
  [28, 'ENOSPC'],
  [32, 'EPIPE'],
  [77, 'EBADFD'],
  [92, 'ENOPROTOOPT'],
  [93, 'EPROTONOSUPPORT'],
  [94, 'ESOCKTNOSUPPORT'],
  [95, 'EOPNOTSUPP'],
  [96, 'EPFNOSUPPORT'],
  [97, 'EAFNOSUPPORT'],
  [98, 'EADDRINUSE'],
  [99, 'EADDRNOTAVAIL'],
  [101, 'ENETUNREACH'],
  [103, 'ECONNABORTED'],
  [104, 'ECONNRESET'],
  [105, 'ENOBUFS'],
  [107, 'ENOTCONN'],
  [108, 'ESHUTDOWN'],
  [110, 'ETIMEDOUT'],
  [111, 'ECONNREFUSED'],
  [112, 'EHOSTDOWN'],
  [113, 'EHOSTUNREACH'],
  [115, 'EINPROGRESS'],
];

test('errnos have the names of the kernel headers', () => {
  for (const [number, name] of NAMES) assert.equal(errnoName(number), name);
  assert.equal(errnoName(3333), 'E3333');
  assert.equal(Errno.ECONNREFUSED, 111);
});

test('a LinuxError says what failed, on what, and why', () => {
  const error = new LinuxError(98, 'bind', '127.0.0.1:1080');
  assert.equal(error.code, 'EADDRINUSE');
  assert.equal(error.errno, 98);
  assert.equal(error.syscall, 'bind');
  assert.equal(error.message, 'bind 127.0.0.1:1080: address already in use (EADDRINUSE)');
  assert.equal(new LinuxError(3333, 'ioctl').message, 'ioctl: failed (E3333)');
  assert.ok(error instanceof Error);
});

test('orThrow passes results on and throws what is behind a negative one', () => {
  assert.equal(orThrow(0, 'x'), 0);
  assert.equal(orThrow(7, 'x'), 7);
  assert.throws(() => orThrow(-13, 'bind', 'port 80'), { code: 'EACCES', syscall: 'bind', message: /port 80/ });
});

test('calls return −errno of their own failure', () => {
  const buffer = new NativeBuffer(8);
  assert.equal(read(-1, buffer, 8), -9);
  assert.equal(close(-1), -9);
  assert.equal(setNonblocking(-1), -9);
  assert.equal(socket(2, 1, 9999), -22);
  assert.equal(socket(9999, 1, 0), -97);
});
