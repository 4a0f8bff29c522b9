import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { mean, standardDeviation, summarize } from '#anabranch/analysis/summary.js';

function near(got: number, expected: number, tolerance = 1e-9): void {
  assert.ok(Math.abs(got - expected) <= tolerance, `${got} is not ${expected}`);
}

describe('summary', () => {
  test('known values', () => {
    const summary = summarize([2, 4, 4, 4, 5, 5, 7, 9]);
    assert.equal(summary.count, 8);
    near(summary.mean, 5);
    near(summary.median, 4.5);
    assert.equal(summary.min, 2);
    assert.equal(summary.max, 9);
    near(summary.standardDeviation, Math.sqrt(32 / 7));
    // t(7) = 2.3646
    near(summary.meanHigh - summary.mean, (2.3646 * Math.sqrt(32 / 7)) / Math.sqrt(8), 1e-4);
    near(summary.mean - summary.meanLow, summary.meanHigh - summary.mean);
  });

  test("Student's t beyond the table", () => {
    // Two values a and −a with n = 2m have s = a·√(n/(n−1)), so the margin shows t itself.
    for (const [count, t] of [
      [12, 2.201],
      [16, 2.1314],
      [22, 2.0796],
      [32, 2.0395],
      [62, 1.9996],
      [1002, 1.9623],
    ] as const) {
      const { meanHigh, standardDeviation: s } = summarize(Array.from({ length: count }, (_, i) => (i % 2 ? 1 : -1)));
      near((meanHigh * Math.sqrt(count)) / s, t, 6e-4);
    }
  });

  test('one sample: no spread, and no certainty', () => {
    const summary = summarize([3]);
    assert.equal(summary.standardDeviation, 0);
    assert.equal(summary.meanLow, Number.NEGATIVE_INFINITY);
    assert.equal(summary.meanHigh, Number.POSITIVE_INFINITY);
  });

  test('digits survive a large offset', () => {
    near(standardDeviation([1e9 + 1, 1e9 + 2, 1e9 + 3]), 1, 1e-6);
  });

  test('refused: no samples, NaN', () => {
    assert.throws(() => summarize([]), RangeError);
    assert.throws(() => mean([]), RangeError);
    assert.throws(() => summarize([Number.NaN]), RangeError);
  });

  test('any samples: shifting and scaling carry over', () => {
    const samples = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 2, maxLength: 40 });
    fc.assert(
      fc.property(samples, fc.integer({ min: 1, max: 50 }), (values, scale) => {
        const one = summarize(values);
        const other = summarize(values.map((value) => value * scale + 7));
        near(other.mean, one.mean * scale + 7, 1e-6);
        near(other.standardDeviation, one.standardDeviation * scale, 1e-6);
        near(other.meanHigh, one.meanHigh * scale + 7, 1e-6);
        assert.ok(one.meanLow <= one.mean && one.mean <= one.meanHigh);
      }),
    );
  });
});
