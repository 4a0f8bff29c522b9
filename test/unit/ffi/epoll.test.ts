// epoll: the structure that differs between processors, and what a wait reports.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { close, drainEventfd, openEventfd, signalEventfd } from '#anabranch/ffi/descriptors.js';
import { EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP, Epoll, epollEventLayout } from '#anabranch/ffi/epoll.js';
import { NativeBuffer } from '#anabranch/ffi/native-buffer.js';
import { shutdown, socketpair } from '#anabranch/ffi/sockets.js';

test('struct epoll_event is packed on x64 and aligned elsewhere', () => {
  // include/uapi/linux/eventpoll.h: __poll_t events (u32), __u64 data; packed under __x86_64__ alone.
  assert.deepEqual(epollEventLayout('x64'), { size: 12, data: 4 });
  assert.deepEqual(epollEventLayout('arm64'), { size: 16, data: 8 });
});

test('each event comes with its descriptor, its mask and the tag given last', (t) => {
  const epoll = new Epoll(8);
  const fds = [openEventfd(), openEventfd(), openEventfd()] as const;
  t.after(() => [epoll.fd, ...fds].forEach(close));
  assert.equal(epoll.add(fds[0], EPOLLIN, 0xffff_ffff), 0);
  assert.equal(epoll.add(fds[1], EPOLLIN, 7), 0);
  assert.equal(epoll.add(fds[2], EPOLLIN, 8), 0);
  assert.equal(epoll.wait(0), 0);
  for (const fd of fds) signalEventfd(fd);
  assert.equal(epoll.modify(fds[1], 0, 7), 0);
  assert.equal(epoll.modify(fds[2], EPOLLIN | EPOLLOUT, 9), 0);
  const ready = epoll.wait(1000);
  const seen = Array.from({ length: ready }, (_, i) => [epoll.fdAt(i), epoll.eventsAt(i), epoll.tagAt(i)]);
  assert.deepEqual(
    seen.sort((a, b) => (a[0] as number) - (b[0] as number)),
    [
      [fds[0], EPOLLIN, 0xffff_ffff],
      [fds[2], EPOLLIN | EPOLLOUT, 9],
    ],
  );
});

test('add, modify and remove report what the kernel refuses', (t) => {
  const epoll = new Epoll(1);
  const fd = openEventfd();
  t.after(() => [epoll.fd, fd].forEach(close));
  assert.equal(epoll.modify(fd, EPOLLIN, 1), -2);
  assert.equal(epoll.remove(fd), -2);
  assert.equal(epoll.add(fd, EPOLLIN, 1), 0);
  assert.equal(epoll.add(fd, EPOLLIN, 1), -17);
  assert.equal(epoll.add(1_000_000, EPOLLIN, 1), -9);
  assert.equal(epoll.remove(fd), 0);
});

test('edges are told once, and again when something new happens', (t) => {
  const epoll = new Epoll(4);
  const pair = new NativeBuffer(8);
  assert.equal(socketpair(1, 1, 0, pair), 0);
  const [a, b] = [pair.view.getInt32(0, true), pair.view.getInt32(4, true)];
  t.after(() => [epoll.fd, a, b].forEach(close));
  assert.equal(epoll.add(a, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1), 0);
  assert.equal(epoll.wait(0), 1);
  assert.equal(epoll.eventsAt(0), EPOLLOUT);
  assert.equal(epoll.wait(0), 0);
  shutdown(b, 1);
  assert.equal(epoll.wait(1000), 1);
  assert.equal(epoll.eventsAt(0), EPOLLIN | EPOLLOUT | EPOLLRDHUP);
  assert.equal(epoll.wait(0), 0);
  shutdown(a, 1);
  assert.equal(epoll.wait(1000), 1);
  assert.equal(epoll.eventsAt(0) & EPOLLHUP, EPOLLHUP);
});

test('an event counter is reset by one drain, however often it was signalled', (t) => {
  const epoll = new Epoll(1);
  const fd = openEventfd();
  t.after(() => [epoll.fd, fd].forEach(close));
  epoll.add(fd, EPOLLIN, 1);
  for (let i = 0; i < 3; i++) signalEventfd(fd);
  assert.equal(epoll.wait(0), 1);
  drainEventfd(fd);
  assert.equal(epoll.wait(0), 0);
  drainEventfd(fd);
  assert.equal(epoll.wait(0), 0);
});
