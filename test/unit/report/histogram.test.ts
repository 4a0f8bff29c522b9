import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { barsOf, binOf, countOf, quantileOf, topBegin, ZERO_BIN } from '#anabranch/report/histogram.js';

function histogramOf(values: readonly number[]): Map<number, number> {
  const bins = new Map<number, number>();
  for (const value of values) bins.set(binOf(value), (bins.get(binOf(value)) ?? 0) + 1);
  return bins;
}

test('quantiles lie in the class of the value they stand for', () => {
  const values = fc.array(fc.double({ min: 0, max: 1e15, noNaN: true }), { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(values, fc.double({ min: 0.01, max: 1, noNaN: true }), (all, p) => {
      const sorted = [...all].sort((a, b) => a - b);
      const exact = sorted[Math.max(0, Math.ceil(p * sorted.length - 1e-9) - 1)] as number;
      const read = quantileOf(histogramOf(all), p) as number;
      if (exact < 1) assert.equal(read, 0);
      else assert.ok(Math.abs(read / exact - 1) < 0.0235, `${read} for ${exact}`);
    }),
  );
});

test('a single value, zeros, nothing', () => {
  assert.ok(Math.abs((quantileOf(histogramOf([1_000]), 0.5) as number) / 1_000 - 1) < 0.0235);
  assert.equal(quantileOf(histogramOf([0, 0, 0.4]), 0.99), 0);
  assert.equal(quantileOf(new Map(), 0.5), undefined);
  assert.equal(binOf(0), ZERO_BIN);
});

test('bars hold every value of 1 or more once, without a gap between them', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 1e9 })), fc.constantFrom(5, 10), (all, perDecade) => {
      const bars = barsOf(histogramOf(all), perDecade);
      assert.equal(
        bars.reduce((sum, { flows }) => sum + flows, 0),
        all.filter((value) => value >= 1).length,
      );
      assert.equal(countOf(histogramOf(all)), all.length);
      for (const [i, bar] of bars.entries()) {
        if (i > 0) assert.equal(bar.from, bars[i - 1]?.to);
      }
    }),
  );
});

test('the greatest values are all at or above where they are said to begin', () => {
  const values = fc.array(fc.integer({ min: 0, max: 1e12 }), { maxLength: 300 });
  fc.assert(
    fc.property(values, fc.integer({ min: 1, max: 20 }), (all, count) => {
      const greatest = all.sort((a, b) => b - a).slice(0, count);
      const from = topBegin(histogramOf(all), count);
      assert.ok(greatest.every((value) => value < 1 || value >= from));
      // And not many more are: two classes of 2.3 % at most.
      const least = greatest[count - 1] ?? 0;
      assert.ok(from <= Math.max(1, least) && from >= Math.max(1, least * 0.95 - 1e-9));
    }),
  );
});
