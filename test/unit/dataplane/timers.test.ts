// The heap of timers against a list that is sorted each time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { Timer, TimerHeap } from '#anabranch/dataplane/timers.js';

class NaiveTimers {
  readonly armed = new Map<number, number>();

  untilNext(now: number): number {
    const deadlines = [...this.armed.values()];
    return deadlines.length === 0 ? -1 : Math.max(0, Math.ceil(Math.min(...deadlines) - now));
  }

  due(now: number): number[] {
    const due = [...this.armed].filter(([, deadline]) => deadline <= now).sort((a, b) => a[1] - b[1]);
    for (const [id] of due) this.armed.delete(id);
    return due.map(([id]) => id);
  }
}

const TIMERS = 12;
const id = fc.nat(TIMERS - 1);
const step = fc.oneof(
  fc.record({ kind: fc.constant('arm' as const), id, deadline: fc.integer({ min: 0, max: 60 }) }),
  fc.record({ kind: fc.constant('disarm' as const), id }),
  fc.record({ kind: fc.constant('expire' as const), after: fc.nat(10) }),
);

test('any sequence of arming, disarming and time fires what a sorted list fires', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const heap = new TimerHeap();
      const naive = new NaiveTimers();
      const fired: number[] = [];
      const timers = Array.from({ length: TIMERS }, (_, i) => new Timer({ onTimer: () => fired.push(i) }));
      let now = 0;
      for (const one of steps) {
        if (one.kind === 'arm') {
          heap.arm(timers[one.id] as Timer, one.deadline);
          naive.armed.set(one.id, one.deadline);
        } else if (one.kind === 'disarm') {
          heap.disarm(timers[one.id] as Timer);
          naive.armed.delete(one.id);
        } else {
          now += one.after;
          const deadlineOf = (i: number) => timers[i]?.deadline;
          fired.length = 0;
          heap.expire(now);
          const due = naive.due(now);
          // Timers of the same deadline may fire in any order.
          assert.deepEqual(fired.map(deadlineOf), due.map(deadlineOf));
          assert.deepEqual([...fired].sort(), due.sort());
        }
        assert.equal(heap.size, naive.armed.size);
        assert.equal(heap.untilNext(now), naive.untilNext(now));
        for (const [i, timer] of timers.entries()) assert.equal(timer.index >= 0, naive.armed.has(i));
      }
    }),
    { numRuns: 500 },
  );
});

test('a timer is disarmed when it fires, and may arm itself and others', () => {
  const heap = new TimerHeap();
  const log: string[] = [];
  const other = new Timer({ onTimer: () => log.push('other') });
  const timer: Timer = new Timer({
    onTimer: (now) => {
      log.push(`at ${now}, armed ${timer.index >= 0}`);
      heap.arm(timer, now + 10);
      heap.disarm(other);
    },
  });
  heap.arm(timer, 5);
  heap.arm(other, 6);
  heap.expire(7);
  assert.deepEqual(log, ['at 7, armed false']);
  assert.equal(heap.size, 1);
  assert.equal(heap.untilNext(7), 10);
});

test('a timer that arms itself to the past fires once for each call', () => {
  const heap = new TimerHeap();
  let fired = 0;
  const timer: Timer = new Timer({
    onTimer: () => {
      fired++;
      heap.arm(timer, 0);
    },
  });
  heap.arm(timer, 0);
  for (let i = 1; i <= 3; i++) {
    heap.expire(100);
    assert.equal(fired, i);
  }
});

test('a wait never ends before the deadline', () => {
  const heap = new TimerHeap();
  heap.arm(new Timer({ onTimer: () => undefined }), 10.25);
  assert.equal(heap.untilNext(10), 1);
  assert.equal(heap.untilNext(10.25), 0);
  assert.equal(heap.untilNext(11), 0);
});
