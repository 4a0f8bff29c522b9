// The last minutes of paths: rates from counters, events from changes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { History } from '#anabranch/dashboard/history.js';
import { parseCounters } from '#anabranch/dashboard/interfaces.js';
import type { PathReading } from '#anabranch/dashboard/source.js';

function reading(changes: Partial<PathReading> = {}): PathReading {
  return { name: 'wlan0', addresses: ['192.0.2.1'], state: 'up', kind: 'wifi', bytesIn: 0, bytesOut: 0, ...changes };
}

test('rates are what the counters gained, per second', () => {
  const history = new History();
  assert.deepEqual(history.add([reading({ bytesIn: 5_000 })], 10_000).paths, [
    { name: 'wlan0', state: 'up', in: 0, out: 0 },
  ]);
  const tick = history.add([reading({ bytesIn: 9_000, bytesOut: 100 })], 12_000);
  assert.deepEqual(tick.paths, [{ name: 'wlan0', state: 'up', in: 2_000, out: 50 }]);
  // An interface that was made anew counts from zero: no negative rate.
  assert.equal(history.add([reading({ bytesIn: 10 })], 13_000).paths[0]?.in, 0);
});

test('changes of state and address become events, and the first sight of everything does not', () => {
  const history = new History();
  history.add([reading()], 1_000);
  assert.deepEqual(history.events, []);
  history.add([reading({ state: 'no-carrier', addresses: [] })], 2_000);
  history.add([reading({ addresses: ['192.0.2.9'] }), reading({ name: 'wwan0' })], 3_000);
  history.add([reading({ name: 'wwan0' })], 4_000);
  assert.deepEqual(
    history.events.map(({ at, text }) => `${at} ${text}`),
    [
      '2000 wlan0 has lost its link',
      '2000 wlan0 has lost 192.0.2.1',
      '3000 wlan0 is up',
      '3000 wlan0 has got 192.0.2.9',
      '3000 wwan0 is up',
      '4000 wlan0 is gone',
    ],
  );
});

test('it is bounded', () => {
  const history = new History();
  for (let i = 1; i <= 2_000; i++) history.add([reading({ state: i % 2 === 0 ? 'up' : 'down' })], i * 1_000);
  assert.equal(history.ticks.length, 300);
  assert.equal(history.events.length, 500);
  assert.equal(history.ticks.at(-1)?.at, 2_000_000);
});

test('/proc/net/dev is read', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1186    15    0    0    0     0          0         0     1186      15    0    0    0     0       0          0
 wlan0:987654321012 7    1    2    3     4          5         6     42      8    0    0    0     0       0          0
broken line
`;
  assert.deepEqual(
    [...parseCounters(text)],
    [
      ['lo', { bytesIn: 1186, bytesOut: 1186 }],
      ['wlan0', { bytesIn: 987_654_321_012, bytesOut: 42 }],
    ],
  );
  assert.deepEqual([...parseCounters('')], []);
});
