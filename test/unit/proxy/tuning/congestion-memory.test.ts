import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventLoop } from '#anabranch/dataplane/event-loop.js';
import { CongestionMemory } from '#anabranch/proxy/tuning/congestion-memory.js';
import { SendWatch, type Tunable } from '#anabranch/proxy/tuning/send-watch.js';

const MINUTE = 60_000;
const lesson = { congestion: 'bbr', why: 'losses', barredUntil: -Infinity } as const;

test('a lesson is kept for ten minutes from its last confirmation, or for as long as bbr is barred', () => {
  const memory = new CongestionMemory();
  memory.remember('192.0.2.1', lesson, 0);
  assert.equal(memory.recall('192.0.2.1', 9 * MINUTE)?.congestion, 'bbr');
  assert.equal(memory.recall('192.0.2.2', 0), undefined);
  memory.remember('192.0.2.1', { ...lesson, why: 'more' }, 9 * MINUTE);
  assert.equal(memory.recall('192.0.2.1', 18 * MINUTE)?.why, 'more');
  assert.equal(memory.recall('192.0.2.1', 19 * MINUTE), undefined);
  memory.remember('192.0.2.1', { congestion: 'cubic', why: 'slower', barredUntil: 40 * MINUTE }, 19 * MINUTE);
  assert.equal(memory.recall('192.0.2.1', 39 * MINUTE)?.barredUntil, 40 * MINUTE);
  assert.equal(memory.recall('192.0.2.1', 40 * MINUTE), undefined);
});

test('it is bounded: the oldest goes', () => {
  const memory = new CongestionMemory();
  for (let i = 0; i <= 4_096; i++) memory.remember(`${i}`, lesson, i);
  assert.equal(memory.recall('0', 4_096), undefined);
  assert.equal(memory.recall('1', 4_096)?.congestion, 'bbr');
});

test('a turn asks the kernel about 256 connections at most, and the next turns about the others', (t) => {
  const loop = new EventLoop(() => undefined);
  t.after(() => loop.stop());
  const looks = Array.from({ length: 600 }, () => 0);
  const flows: Tunable[] = looks.map((_, i) => ({
    // One in three sends nothing.
    tune: () => {
      if (i % 3 === 0) return 0;
      looks[i] = (looks[i] as number) + 1;
      return 2;
    },
  }));
  const watch = new SendWatch(loop, flows);
  let before = 0;
  for (let turn = 1; turn <= 4; turn++) {
    watch.onTimer(turn * 100);
    const asked = looks.reduce((sum, n) => sum + n, 0);
    assert.ok(asked - before <= 128, `${asked - before}`);
    before = asked;
  }
  assert.deepEqual([...new Set(looks.filter((_, i) => i % 3 !== 0))], [1]);
  watch.onTimer(500);
  assert.ok(
    looks.some((n) => n === 2),
    'and begins anew',
  );
});
