import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { median, quantileOfSorted, quantiles, sortSamples } from '#anabranch/analysis/quantiles.js';

const finite = fc.double({ noNaN: true, min: -1e9, max: 1e9 });

describe('quantiles', () => {
  test('known values', () => {
    for (const [samples, p, expected] of [
      [[7], 0, 7],
      [[7], 1, 7],
      [[1, 2], 0.5, 1.5],
      [[3, 1, 2], 0.5, 2],
      [[4, 1, 3, 2], 0.5, 2.5],
      [[1, 2, 3, 4, 5], 0.25, 2],
      [[1, 2, 3, 4, 5], 0.9, 4.6],
      [[10, 20], 0.99, 19.9],
      [[-5, 5], 0.25, -2.5],
      [[100, 20, 3], 0.5, 20],
    ] as const) {
      const [got] = quantiles(samples, [p]);
      assert.ok(Math.abs((got as number) - expected) < 1e-9, `${p} of ${samples}: ${got}, not ${expected}`);
    }
  });

  test('numbers are ordered as numbers, and the samples are left as they were', () => {
    const samples = [10, 9, 100];
    assert.deepEqual([...sortSamples(samples)], [9, 10, 100]);
    assert.deepEqual(samples, [10, 9, 100]);
  });

  test('several at once, in the order asked for', () => {
    assert.deepEqual(quantiles([1, 2, 3], [1, 0, 0.5]), [3, 1, 2]);
  });

  test('infinite neighbours', () => {
    assert.equal(median([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]), Number.POSITIVE_INFINITY);
  });

  test('refused: no samples, NaN, a quantile out of range', () => {
    assert.throws(() => median([]), RangeError);
    assert.throws(() => median([1, Number.NaN]), RangeError);
    assert.throws(() => quantileOfSorted([1], 1.01), RangeError);
    assert.throws(() => quantileOfSorted([1], Number.NaN), RangeError);
  });

  test('any samples: within their range, rising with p, blind to order', () => {
    fc.assert(
      fc.property(fc.array(finite, { minLength: 1 }), fc.double({ noNaN: true, min: 0, max: 1 }), (samples, p) => {
        const [low, at, high] = quantiles(samples, [p / 2, p, 1]) as [number, number, number];
        assert.ok(low <= at && at <= high);
        assert.ok(at >= Math.min(...samples) && high === Math.max(...samples));
        assert.equal(quantiles(samples.toReversed(), [p])[0], at);
      }),
    );
  });

  test('the median leaves as many below as above', () => {
    fc.assert(
      fc.property(fc.array(finite, { minLength: 1 }), (samples) => {
        const middle = median(samples);
        const below = samples.filter((sample) => sample < middle).length;
        const above = samples.filter((sample) => sample > middle).length;
        assert.ok(below <= samples.length / 2 && above <= samples.length / 2);
      }),
    );
  });
});
