// Messages to a thread that sits in epoll_wait.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';

import { EventLoop } from '#anabranch/dataplane/event-loop.js';
import { Mailbox, readMailbox } from '#anabranch/dataplane/mailbox.js';
import { close, openEventfd, read } from '#anabranch/ffi/descriptors.js';
import { NativeBuffer } from '#anabranch/ffi/native-buffer.js';

test('messages arrive in order, in a loop that is woken for them', () => {
  const { port1, port2 } = new MessageChannel();
  const got: number[] = [];
  const loop = new EventLoop(() => {
    readMailbox<number>(port2, (message) => got.push(message));
    if (got.length === 3) loop.stop();
  });
  const mailbox = new Mailbox<number>(port1, loop.wakeFd);
  for (const message of [1, 2, 3]) mailbox.post(message);
  loop.run();
  assert.deepEqual(got, [1, 2, 3]);
  mailbox.close();
  port1.close();
});

test('a flood is read in portions, the rest in the rounds that follow', () => {
  const { port1, port2 } = new MessageChannel();
  const portions: number[] = [];
  let got = 0;
  const loop = new EventLoop(() => {
    const before = got;
    const more = readMailbox<number>(port2, () => got++);
    portions.push(got - before);
    if (more) loop.wake();
    if (got === 10_500) loop.stop();
  });
  const mailbox = new Mailbox<number>(port1, loop.wakeFd);
  for (let i = 0; i < 10_500; i++) mailbox.post(i);
  const begin = performance.now();
  loop.run();
  assert.deepEqual(portions, [...Array.from({ length: 10 }, () => 1_000), 500]);
  assert.ok(performance.now() - begin < 5_000, 'each portion waited for the next second');
  mailbox.close();
  port1.close();
});

test('a closed mailbox writes to nobody, whoever has its number by now', () => {
  const { port1 } = new MessageChannel();
  const fd = openEventfd();
  const mailbox = new Mailbox<string>(port1, fd);
  mailbox.post('a');
  mailbox.close();
  const successor = openEventfd();
  assert.equal(successor, fd);
  mailbox.post('b');
  mailbox.close();
  assert.equal(read(successor, new NativeBuffer(8), 8), -11);
  assert.equal(close(successor), 0);
  port1.close();
});
