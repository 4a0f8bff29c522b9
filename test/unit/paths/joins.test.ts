// Joins that are watched, and when they are tried again.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { findUnjoined } from '#anabranch/paths/joins.js';
import { WatchedJoins } from '#anabranch/paths/watched-joins.js';
import type { SubflowProgress } from '#anabranch/wire/subflow-dump.js';
import { pathOf } from './path-of.ts';

function subflow(address: string, initiated = true): SubflowProgress {
  const counts = { bytesAcked: 0, bytesReceived: 0, segmentsIn: 0, unacked: 0, timeouts: 0, silentMs: 0 };
  const remote = { address: '203.0.113.1', port: 1080 };
  const how = { initiated, initial: true, localId: 0, backup: false };
  return { token: 1, ...how, local: { address, port: 4_000 }, remote, rttMs: 0, rttVarianceMs: 0, ...counts };
}

const wifi = pathOf(2, '192.0.2.7');
const cellular = pathOf(3, '198.51.100.7');
const both = [wifi, cellular];

test('a connection over another path only is missing here', () => {
  assert.equal(findUnjoined(wifi, both, [subflow(cellular.address)])?.local.address, cellular.address);
  assert.equal(findUnjoined(wifi, both, []), undefined);
  // Any subflow at all says that the path works.
  assert.equal(findUnjoined(wifi, both, [subflow(cellular.address), subflow(wifi.address)]), undefined);
  // Connections that others opened, from elsewhere, or of the other family are not ours to join.
  assert.equal(findUnjoined(wifi, both, [subflow(cellular.address, false)]), undefined);
  assert.equal(findUnjoined(wifi, both, [subflow('127.0.0.1')]), undefined);
  assert.equal(findUnjoined(pathOf(2, '2001:db8::7'), both, [subflow(cellular.address)]), undefined);
});

test('looks come later and later, and after some a probe is asked for', () => {
  const joins = new WatchedJoins(() => 0.5);
  let now = 0;
  const waits: number[] = [];
  const steps: string[] = [];
  for (let i = 0; i < 12; i++) {
    joins.began(wifi, now, 30);
    const wait = joins.untilNext(now) ?? 0;
    assert.equal(joins.isDue(wifi, now + wait - 1), false);
    now += wait;
    assert.equal(joins.isDue(wifi, now), true);
    waits.push(wait);
    steps.push(joins.unjoined(wifi));
  }
  assert.deepEqual(waits.slice(0, 5), [200, 400, 800, 1_600, 3_200]);
  assert.equal(Math.max(...waits), 60_000);
  assert.deepEqual(steps.slice(0, 5), ['again', 'again', 'again', 'ask', 'ask']);
  joins.settled(wifi);
  assert.equal(joins.untilNext(now), undefined);
  joins.began(wifi, now, 500);
  assert.equal(joins.untilNext(now), 1_000);
});

test('a failure that the kernel tells of is looked at soon, a few times', () => {
  const joins = new WatchedJoins(() => 0.5);
  joins.failed(wifi, 0);
  assert.equal(joins.untilNext(0), undefined);
  for (let i = 0; i < 3; i++) {
    joins.began(wifi, 0, 0);
    joins.failed(wifi, 10);
    assert.equal(joins.isDue(wifi, 10), true);
    joins.unjoined(wifi);
  }
  joins.began(wifi, 0, 0);
  joins.failed(wifi, 10);
  assert.equal(joins.isDue(wifi, 10), false);
  joins.keepOnly([cellular]);
  assert.equal(joins.untilNext(0), undefined);
});
