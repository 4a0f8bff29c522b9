// How often the subflows are looked at.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LookPace } from '#anabranch/paths/look-pace.js';

test('cheap looks come as often as is wanted, and one that was held up changes little', () => {
  const pace = new LookPace();
  for (let i = 0; i < 50; i++) assert.equal(pace.next(0.2, 20), 20);
  assert.equal(pace.next(400, 20), 20);
  assert.equal(pace.next(0.2, 20), 20);
});

test('dear ones take a twentieth of the time in the end, and cheap ones are believed at once', () => {
  const pace = new LookPace();
  const waits = Array.from({ length: 60 }, () => pace.next(10, 20));
  assert.equal(waits.at(-1), 200);
  assert.ok(waits.every((ms, i) => i === 0 || ms >= waits[i - 1]!));
  assert.equal(pace.next(0.1, 20), 20);
});
