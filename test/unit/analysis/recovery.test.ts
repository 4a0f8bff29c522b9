import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';

import { binCounter, bytesBetween, endOf, rateBetween, shares } from '#anabranch/analysis/byte-series.js';
import { failoverMs, longestSilence, pauseMs, regainMs } from '#anabranch/analysis/recovery.js';

/** Runs of equal bins, 50 ms each, from 1,000 ms on. */
function series(...runs: readonly (readonly [count: number, bytes: number])[]) {
  return { startMs: 1_000, binMs: 50, bytes: runs.flatMap(([count, bytes]) => new Array<number>(count).fill(bytes)) };
}

describe('bytes over time', () => {
  test('bins that lie partly in a span count for that part', () => {
    const some = series([1, 100], [1, 200], [1, 400]);
    assert.equal(endOf(some), 1_150);
    assert.equal(bytesBetween(some, 1_000, 1_150), 700);
    assert.equal(bytesBetween(some, 0, 9_999), 700);
    assert.equal(bytesBetween(some, 1_025, 1_075), 150);
    assert.equal(bytesBetween(some, 1_060, 1_070), 40);
    assert.equal(bytesBetween(some, 1_150, 1_200), 0);
    assert.equal(rateBetween(some, 1_000, 1_050), 16_000);
    assert.throws(() => rateBetween(some, 5, 5), RangeError);
  });

  test('a counter read at any moments falls into bins', () => {
    const readings = [
      { atMs: 990, value: 1_000 },
      { atMs: 1_010, value: 1_200 },
      { atMs: 1_110, value: 2_200 },
      { atMs: 1_150, value: 2_200 },
    ];
    assert.deepEqual(binCounter(readings, 50), { startMs: 1_000, binMs: 50, bytes: [500, 500, 100] });
    assert.deepEqual(binCounter(readings.slice(0, 1), 50).bytes, []);
    assert.deepEqual(binCounter([], 50).bytes, []);
  });

  test('a counter that begins anew does not count backwards', () => {
    const readings = [
      { atMs: 0, value: 5_000 },
      { atMs: 50, value: 300 },
    ];
    assert.deepEqual(binCounter(readings, 50).bytes, [300]);
  });

  test('bins hold what the counter grew by between the first and the last whole one', () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 400 }), fc.nat(10_000)), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(fc.nat(1_000), steps, (start, moves) => {
        let atMs = start;
        let value = 0;
        const readings = [{ atMs, value }];
        for (const [after, grown] of moves) {
          atMs += after;
          value += grown;
          readings.push({ atMs, value });
        }
        const binned = binCounter(readings, 50);
        const sum = binned.bytes.reduce((total, bytes) => total + bytes, 0);
        // The oracle: the counter's value, interpolated, at both ends.
        const valueAt = (at: number): number => {
          const i = readings.findIndex((reading) => reading.atMs >= at);
          const to = readings[i]!;
          const from = readings[Math.max(0, i - 1)]!;
          if (to.atMs === from.atMs) return to.value;
          return from.value + ((to.value - from.value) * (at - from.atMs)) / (to.atMs - from.atMs);
        };
        const expected = binned.bytes.length === 0 ? 0 : valueAt(endOf(binned)) - valueAt(binned.startMs);
        assert.ok(Math.abs(sum - expected) < 1e-6 * (1 + value), `${sum} and ${expected}`);
      }),
    );
  });

  test('shares of paths add up to one, or are nothing', () => {
    assert.deepEqual(shares([series([2, 30]), series([2, 10])], 1_000, 1_100), [0.75, 0.25]);
    assert.deepEqual(shares([series([2, 0]), series([2, 0])], 1_000, 1_100), [0, 0]);
  });
});

describe('failover', () => {
  test('lasts from the cut until bytes come again', () => {
    // Cut at 1,500; what was under way comes for 100 ms, then 2 s of silence.
    const cut = series([10, 900], [2, 900], [40, 0], [20, 400]);
    assert.equal(failoverMs(cut, 1_500), 2_100);
    assert.equal(pauseMs(cut, 1_500), 2_000);
    assert.deepEqual(longestSilence(cut, { fromMs: 1_000, toMs: 9_999 }), { fromMs: 1_600, ms: 2_000 });
  });

  test('is nothing where bytes kept coming, and unknown where they never came again', () => {
    for (const measure of [failoverMs, pauseMs]) {
      assert.equal(measure(series([40, 900]), 1_500), 0);
      assert.equal(measure(series([10, 900], [40, 0]), 1_500), undefined);
      assert.equal(measure(series([10, 900]), 1_500), undefined);
    }
  });

  test('a silence before the cut, or long after it, is not its doing', () => {
    assert.equal(failoverMs(series([2, 900], [5, 0], [60, 900], [10, 0], [5, 900]), 1_500), 0);
  });

  test('a trickle is silence where the caller says so', () => {
    const trickle = series([10, 900], [10, 3], [10, 900]);
    assert.equal(failoverMs(trickle, 1_500), 0);
    assert.equal(failoverMs(trickle, 1_500, 10), 500);
    assert.equal(pauseMs(trickle, 1_500, 10), 500);
  });
});

describe('regain', () => {
  const earlier = { earlierFromMs: 1_000, earlierToMs: 1_500 };

  test('lasts until the mean of a window is the share of what it was', () => {
    const back = series([10, 1_000], [40, 0], [10, 500], [40, 950]);
    // Cut at 1,500, silent until 3,500, half until 4,000.
    assert.equal(regainMs(back, { ...earlier, eventMs: 1_500 }), 2_450);
    assert.equal(regainMs(back, { ...earlier, eventMs: 1_500, share: 0.5 }), 2_000);
    assert.equal(regainMs(back, { ...earlier, eventMs: 3_500 }), 450);
  });

  test('one burst is not enough', () => {
    const burst = series([10, 1_000], [20, 0], [1, 4_000], [20, 0]);
    assert.equal(regainMs(burst, { ...earlier, eventMs: 1_500 }), undefined);
  });

  test('nothing comes back where nothing was', () => {
    assert.equal(regainMs(series([40, 0], [40, 9]), { ...earlier, eventMs: 3_000 }), undefined);
    assert.throws(() => regainMs(series([9, 1]), { eventMs: 0, earlierFromMs: 5, earlierToMs: 5 }), RangeError);
  });
});
