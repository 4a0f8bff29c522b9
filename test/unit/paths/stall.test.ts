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
    lastAckMs: 0,
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
        subflow('192.0.2.7', { bytesReceived: first * 2_000, segmentsIn: first, ...more }),
        subflow('198.51.100.7', { bytesReceived: now * 1_000, segmentsIn: now, ...more }),
      ],
      now,
    );
    if (suspicions.length === 0) continue;
    assert.deepEqual(suspicions, [{ address: '192.0.2.7', remote, answerMs: 150 }]);
    return now;
  }
  return -1;
}

test('a path that was busy and falls silent, while the other goes on', () => {
  assert.equal(play(new StallDetector(), 1_000, 3_000), 1_150);
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
        subflow('192.0.2.7', { bytesReceived: first * 2_000, segmentsIn: first, ...slow }),
        subflow('198.51.100.7', { bytesReceived: now * 1_000, segmentsIn: now, ...slow }),
      ],
      now,
    );
    if (found.length > 0) at = now;
  }
  assert.equal(at, 1_800);
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
  const waiting = (lastAckMs: number) => [subflow('192.0.2.7', { unacked: 5, timeouts: 1, lastAckMs })];
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
