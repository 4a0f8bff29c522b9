// Silent subflows: who is suspected, and who is not.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { StallDetector } from '#anabranch/paths/stall.js';
import type { SubflowProgress } from '#anabranch/wire/subflow-dump.js';

const remote = { address: '203.0.113.1', port: 1080 };

function subflow(address: string, more: Partial<SubflowProgress> = {}): SubflowProgress {
  return {
    token: 1,
    initiated: true,
    initial: true,
    localId: 0,
    backup: false,
    local: { address, port: 40_000 },
    remote,
    bytesAcked: 0,
    bytesReceived: 0,
    segmentsIn: 0,
    unacked: 0,
    timeouts: 0,
    silentMs: 0,
    rttMs: 20,
    rttVarianceMs: 2,
    ...more,
  };
}

/** A download over two paths, looked at every 50 ms; the first stops at `cutAt`. */
function play(detector: StallDetector, cutAt: number, until: number, more: Partial<SubflowProgress> = {}): number {
  for (let now = 0; now <= until; now += 50) {
    const first = Math.min(now, cutAt);
    const suspicions = detector.observe(
      [
        subflow('192.0.2.7', { bytesReceived: first * 2_000, segmentsIn: first, silentMs: now - first, ...more }),
        subflow('198.51.100.7', { bytesReceived: now * 1_000, segmentsIn: now, ...more }),
      ],
      now,
    );
    if (suspicions.length === 0) continue;
    assert.deepEqual(suspicions, [{ address: '192.0.2.7', remote, answerMs: 120 }]);
    return now;
  }
  return -1;
}

test('a path that was busy and falls silent, while the other goes on', () => {
  assert.equal(play(new StallDetector(), 1_000, 3_000), 1_100);
});

test('nobody is suspected while both go on', () => {
  assert.equal(play(new StallDetector(), 5_000, 3_000), -1);
});

test('a long round trip is given its time', () => {
  const detector = new StallDetector();
  let at = -1;
  for (let now = 0; now <= 4_000 && at < 0; now += 50) {
    const first = Math.min(now, 1_000);
    const slow = { rttMs: 600, rttVarianceMs: 50 };
    const found = detector.observe(
      [
        subflow('192.0.2.7', { bytesReceived: first * 2_000, segmentsIn: first, silentMs: now - first, ...slow }),
        subflow('198.51.100.7', { bytesReceived: now * 1_000, segmentsIn: now, ...slow }),
      ],
      now,
    );
    if (found.length > 0) at = now;
  }
  assert.equal(at, 1_700);
});

test('whoever accepted the connection suspects nobody', () => {
  assert.equal(play(new StallDetector(), 1_000, 3_000, { initiated: false }), -1);
});

test('silence everywhere is not the fault of one path', () => {
  const detector = new StallDetector();
  for (let now = 0; now <= 3_000; now += 50) {
    const upTo = Math.min(now, 1_000);
    const both = ['192.0.2.7', '198.51.100.7'].map((address) =>
      subflow(address, { bytesReceived: upTo * 1_000, segmentsIn: upTo }),
    );
    assert.deepEqual(detector.observe(both, now), []);
  }
});

test('a sender that has sent again and hears nothing', () => {
  const detector = new StallDetector();
  const waiting = (silentMs: number) => [subflow('192.0.2.7', { unacked: 5, timeouts: 1, silentMs })];
  assert.deepEqual(detector.observe(waiting(0), 0), []);
  assert.deepEqual(detector.observe(waiting(100), 100), []);
  assert.equal(detector.observe(waiting(300), 300).length, 1);
});

test('a trickle may pause', () => {
  const detector = new StallDetector();
  for (let now = 0; now <= 3_000; now += 50) {
    const found = detector.observe(
      [
        subflow('192.0.2.7', { bytesReceived: Math.min(now, 1_000) * 10, segmentsIn: Math.min(now, 1_000) }),
        subflow('198.51.100.7', { bytesReceived: now * 1_000, segmentsIn: now }),
      ],
      now,
    );
    assert.deepEqual(found, []);
  }
});

/** Looks every 20 ms at two paths of 10 Mbit/s each; the first delivers at the moments given. Returns the suspicions. */
function watch(arrivals: readonly number[], until: number, more: Partial<SubflowProgress> = {}): number[] {
  const detector = new StallDetector();
  const at: number[] = [];
  for (let now = 0; now <= until; now += 20) {
    const came = arrivals.filter((moment) => moment <= now);
    const first = {
      bytesReceived: came.length * 5_000,
      segmentsIn: came.length,
      silentMs: now - (came.at(-1) ?? 0),
    };
    const found = detector.observe(
      [
        subflow('192.0.2.7', { ...first, ...more }),
        subflow('198.51.100.7', { bytesReceived: now * 1_250, segmentsIn: now }),
      ],
      now,
    );
    if (found.length > 0) at.push(now);
  }
  return at;
}

test('a path with pauses of its own is given more time, and is suspected all the same when it is silent', () => {
  // Every 4 ms, but for a pause of 130 ms each half second, until 5 s.
  const arrivals = Array.from({ length: 1_250 }, (_, i) => i * 4).filter((ms) => ms % 500 >= 130);
  const found = watch(arrivals, 6_000);
  assert.ok(
    found.filter((at) => at < 5_000).every((at) => at < 1_200),
    `suspected at ${found}`,
  );
  const end = found.find((at) => at > 5_000) ?? assert.fail('not suspected');
  assert.ok(end - 5_000 <= 320, `after ${end - 5_000} ms`);
});

test('segments that bring nothing new do not keep it from being suspected', () => {
  const detector = new StallDetector();
  let at = -1;
  for (let now = 0; now <= 3_000 && at < 0; now += 20) {
    const found = detector.observe(
      [
        subflow('192.0.2.7', { bytesReceived: Math.min(now, 1_000) * 2_000, segmentsIn: now }),
        subflow('198.51.100.7', { bytesReceived: now * 1_000, segmentsIn: now }),
      ],
      now,
    );
    if (found.length > 0) at = now;
  }
  assert.ok(at > 1_200 && at <= 1_500, `at ${at}`);
});

test('acknowledgements are bytes that moved: an upload is watched as a download', () => {
  const detector = new StallDetector();
  // Once it has been seen that acknowledgements keep coming, a long round trip is no reason to wait.
  const queued = { unacked: 100, rttMs: 150, rttVarianceMs: 10 };
  let at = -1;
  for (let now = 0; now <= 4_000 && at < 0; now += 20) {
    const first = Math.min(now, 2_000);
    const found = detector.observe(
      [
        subflow('192.0.2.7', { bytesAcked: first * 2_000, segmentsIn: first, silentMs: now - first, ...queued }),
        subflow('198.51.100.7', { bytesAcked: now * 1_000, segmentsIn: now }),
      ],
      now,
    );
    if (found.length > 0) at = now;
  }
  assert.equal(at, 2_060);
});

test('a path over which nothing is under way owes no acknowledgements', () => {
  const detector = new StallDetector();
  for (let now = 0; now <= 3_000; now += 20) {
    const first = Math.min(now, 1_000);
    const found = detector.observe(
      [
        subflow('192.0.2.7', { bytesAcked: first * 2_000, segmentsIn: first, silentMs: now - first, unacked: 0 }),
        subflow('198.51.100.7', { bytesAcked: now * 1_000, segmentsIn: now, unacked: 9 }),
      ],
      now,
    );
    assert.deepEqual(found, []);
  }
});

test('a path that dies between two looks, before it was ever seen at work', () => {
  const detector = new StallDetector();
  detector.observe([], 0);
  const cut = { bytesReceived: 400_000, segmentsIn: 300 };
  const at = [500, 520, 540, 560, 580, 600, 620].find((now) => {
    const list = [
      subflow('192.0.2.7', { ...cut, silentMs: now - 440 }),
      subflow('198.51.100.7', { bytesReceived: now * 1_000, segmentsIn: now }),
    ];
    return detector.observe(list, now).length > 0;
  });
  assert.equal(at, 520);
});
