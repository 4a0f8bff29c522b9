// Memory that the kernel writes into: whatever length a caller asks for, nothing outside the block is touched.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { close, pipe, read, write } from '#anabranch/ffi/descriptors.js';
import { NativeBuffer, nativeCopy } from '#anabranch/ffi/native-buffer.js';
import { getsockopt, recv, send, setsockopt, socketpair } from '#anabranch/ffi/sockets.js';

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const MSG_DONTWAIT = 0x40;

function unixPair(t: { after: (undo: () => void) => void }): [number, number] {
  const pair = new NativeBuffer(8);
  assert.equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  const fds: [number, number] = [pair.view.getInt32(0, true), pair.view.getInt32(4, true)];
  t.after(() => fds.forEach(close));
  return fds;
}

test('clamp keeps every piece inside the block', () => {
  const anyLength = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(NaN, Infinity, -Infinity, 2 ** 53));
  fc.assert(
    fc.property(fc.nat(4096), fc.nat(5000), anyLength, (size, offset, length) => {
      const buffer = new NativeBuffer(size);
      if (offset > size) {
        assert.throws(() => buffer.clamp(offset, length), RangeError);
        return;
      }
      const clamped = buffer.clamp(offset, length);
      assert.ok(clamped >= 0 && offset + clamped <= size, `${clamped}`);
      if (length >= 0 && length <= size - offset) assert.equal(clamped, length);
    }),
  );
  const buffer = new NativeBuffer(4);
  for (const offset of [-1, 5, NaN, Infinity, -Infinity]) assert.throws(() => buffer.clamp(offset, 1), RangeError);
});

test('an empty block has an address and takes nothing', () => {
  const nothing = new NativeBuffer(0);
  assert.ok(nothing.address > 0);
  assert.equal(nothing.clamp(0, 10), 0);
  assert.equal(nothing.bytes.length, 0);
});

test('address, bytes and view are the same memory, at a place that stays', (t) => {
  const [a, b] = unixPair(t);
  const source = nativeCopy(Uint8Array.of(1, 2, 3, 4));
  const { address } = source;
  // Garbage enough for several collections: the block must not move.
  let junk: unknown[] = [];
  for (let i = 0; i < 200_000; i++) {
    junk.push([i]);
    if (junk.length > 10_000) junk = [];
  }
  assert.equal(source.address, address);
  assert.equal(send(a, source, 0, 4, 0), 4);
  const sink = new NativeBuffer(4);
  assert.equal(recv(b, sink, 0, 4, 0), 4);
  assert.deepEqual([...sink.bytes], [1, 2, 3, 4]);
  assert.equal(sink.view.getUint32(0, false), 0x01020304);
});

test('reads and writes that ask for too much are cut to the block', (t) => {
  const [a, b] = unixPair(t);
  const big = nativeCopy(new Uint8Array(64).fill(7));
  const small = new NativeBuffer(16);
  assert.equal(send(a, big, 0, 1_000_000, 0), 64);
  assert.equal(recv(b, small, 0, 1_000_000, MSG_DONTWAIT), 16);
  assert.equal(recv(b, small, 12, 1_000_000, MSG_DONTWAIT), 4);
  assert.equal(read(b, small, 1_000_000), 16);
  assert.equal(recv(b, small, 0, -5, MSG_DONTWAIT), 0);
  assert.throws(() => recv(b, small, 17, 1, MSG_DONTWAIT), RangeError);
  assert.throws(() => send(a, small, -1, 1, 0), RangeError);
  assert.equal(write(a, small, 1_000_000), 16);
});

test('options longer than their buffer are cut by the kernel, longer than the value by us', (t) => {
  const [a] = unixPair(t);
  const value = new NativeBuffer(2);
  const length = new NativeBuffer(4);
  // SO_RCVBUF is four bytes; two of them arrive, and the length says so.
  assert.equal(getsockopt(a, 1, 8, value, length), 2);
  assert.equal(setsockopt(a, 1, 8, value, 4), -22);
});

test('a pair of descriptors needs room for two', () => {
  assert.equal(pipe(new NativeBuffer(7)), -22);
  assert.equal(socketpair(AF_UNIX, SOCK_STREAM, 0, new NativeBuffer(4)), -22);
});
