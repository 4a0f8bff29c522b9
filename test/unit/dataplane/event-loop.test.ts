// The event loop: events, late events, deferred work, timers, and being woken by another thread.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';

import { EventLoop } from '#anabranch/dataplane/event-loop.js';
import { Timer } from '#anabranch/dataplane/timers.js';
import { close, openEventfd, signalEventfd } from '#anabranch/ffi/descriptors.js';
import { EPOLLIN } from '#anabranch/ffi/epoll.js';
import { createLoop, play } from './stage.ts';

test('watchers are told of their own descriptors, until forgotten', (t) => {
  const loop = createLoop();
  const fds = [openEventfd(), openEventfd()] as const;
  t.after(() => fds.forEach(close));
  const told: string[] = [];
  assert.equal(loop.watch(fds[0], EPOLLIN, { onReady: (events) => told.push(`a${events}`) }), 0);
  assert.equal(loop.watch(fds[1], EPOLLIN, { onReady: (events) => told.push(`b${events}`) }), 0);
  play(loop, [
    () => signalEventfd(fds[1]),
    () => told.includes('b1'),
    () => loop.unwatch(fds[1]),
    () => {
      told.length = 0;
    },
    () => signalEventfd(fds[0]),
    () => told.includes('a1'),
    () => assert.ok(!told.includes('b1')),
    // Paused, and watched for again.
    () => loop.change(fds[0], 0),
    () => {
      told.length = 0;
    },
    () => {
      const now = performance.now();
      while (performance.now() < now + 3);
    },
    () => assert.deepEqual(told, []),
    () => loop.change(fds[0], EPOLLIN),
    () => told.includes('a1'),
  ]);
});

test('what cannot be watched is said at once', () => {
  const loop = createLoop();
  assert.equal(loop.watch(1_000_000, EPOLLIN, { onReady: () => undefined }), -9);
  play(loop, []);
});

test('an event for a descriptor that was closed in the same round does not reach its successor', () => {
  const loop = createLoop();
  const log: string[] = [];
  const fds = Array.from({ length: 6 }, openEventfd);
  const later: number[] = [];
  // Whichever is told first closes all the others and opens new ones, which get their numbers; those have no events.
  for (const fd of fds) {
    loop.watch(fd, EPOLLIN, {
      onReady: () => {
        log.push('first');
        for (const one of fds) {
          loop.forget(one);
          close(one);
        }
        for (const _ of fds) {
          const next = openEventfd();
          later.push(next);
          loop.watch(next, EPOLLIN, { onReady: () => log.push('late') });
        }
      },
    });
    signalEventfd(fd);
  }
  let rounds = 0;
  play(loop, [() => log.length > 0 && ++rounds > 5]);
  assert.deepEqual([...later].sort(), [...fds].sort());
  assert.deepEqual(log, ['first']);
  later.forEach(close);
});

test('deferred work runs in the same round, and what it defers in the next, after events', (t) => {
  const loop = createLoop();
  const fd = openEventfd();
  t.after(() => close(fd));
  const log: string[] = [];
  let left = 4;
  const work = {
    resume: () => {
      log.push('work');
      if (--left > 0) loop.defer(work);
    },
  };
  loop.watch(fd, EPOLLIN, { onReady: () => log.push('event') });
  signalEventfd(fd);
  loop.defer(work);
  play(loop, [() => left === 0]);
  // Level-triggered and never drained: an event in each round, so that work that goes on does not starve it.
  assert.deepEqual(log.slice(0, 8), ['event', 'work', 'event', 'work', 'event', 'work', 'event', 'work']);
});

test('timers fire in order, not early, and may be disarmed by one another', () => {
  const loop = createLoop();
  const log: number[] = [];
  const begin = performance.now();
  const cancelled = new Timer({ onTimer: () => log.push(-1) });
  for (const delay of [30, 5, 15]) {
    const timer = new Timer({
      onTimer: () => {
        assert.ok(performance.now() - begin >= delay, `${performance.now() - begin} of ${delay}`);
        log.push(delay);
        if (delay === 15) loop.disarm(cancelled);
      },
    });
    loop.arm(timer, begin + delay);
  }
  loop.arm(cancelled, begin + 20);
  play(loop, [() => log.length === 3]);
  assert.deepEqual(log, [5, 15, 30]);
});

test('another thread wakes the loop at once', async () => {
  let woken = 0;
  let askedAt = 0;
  const loop = new EventLoop(() => {
    woken++;
    if (woken === 2) {
      askedAt = performance.now();
      loop.stop();
    }
  });
  const source = `
    const { workerData } = require('node:worker_threads');
    import(workerData.module).then(({ signalEventfd }) => setTimeout(() => signalEventfd(workerData.fd), 20));
  `;
  const module = import.meta.resolve('#anabranch/ffi/descriptors.js');
  const worker = new Worker(source, { eval: true, workerData: { fd: loop.wakeFd, module } });
  const begin = performance.now();
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  loop.run();
  // Called once when the loop began, and then by the other thread or, at the latest, after a second of silence.
  assert.equal(woken, 2);
  assert.ok(askedAt >= begin);
  await ended;
  close(loop.wakeFd);
});

test('wake lets onWake run again in the next round', () => {
  let left = 3;
  const loop = new EventLoop(() => {
    if (--left > 0) loop.wake();
    else loop.stop();
  });
  const begin = performance.now();
  loop.run();
  assert.equal(left, 0);
  // Left to itself it wakes once a second.
  assert.ok(performance.now() - begin < 1_900);
  // The descriptor outlives the loop: whoever wakes it closes it.
  signalEventfd(loop.wakeFd);
  assert.equal(close(loop.wakeFd), 0);
});

test('a long round shows as lag', () => {
  const loop = createLoop();
  play(loop, [
    () => {
      const begin = performance.now();
      while (performance.now() < begin + 20);
    },
  ]);
  assert.ok(loop.lagMsMax >= 20, `${loop.lagMsMax}`);
});
