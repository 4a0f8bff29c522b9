import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  allocateHistograms,
  HISTOGRAM_BOUNDS,
  type HistogramName,
  Histograms,
  readHistograms,
  sumHistograms,
} from '#anabranch/proxy/histograms.js';

const NAMES = Object.keys(HISTOGRAM_BOUNDS) as HistogramName[];

test('bounds grow', () => {
  for (const name of NAMES) {
    const bounds: readonly number[] = HISTOGRAM_BOUNDS[name];
    assert.deepEqual(
      [...new Set(bounds)].sort((a, b) => a - b),
      [...bounds],
      name,
    );
  }
});

test('counts as a naive search does, each thread and histogram for itself', () => {
  const observation = fc.record({
    thread: fc.integer({ min: 0, max: 2 }),
    name: fc.constantFrom(...NAMES),
    seconds: fc.oneof(fc.double({ min: 0, max: 1e5, noNaN: true }), fc.constantFrom(0, 0.001, 0.5, 1, 10, 86_400)),
  });
  fc.assert(
    fc.property(fc.array(observation, { maxLength: 60 }), (observations) => {
      const memory = allocateHistograms(3);
      const rows = [0, 1, 2].map((thread) => new Histograms(memory, thread));
      for (const { thread, name, seconds } of observations) rows[thread]?.observe(name, seconds);
      const readings = readHistograms(memory);
      const sums = sumHistograms(readings);
      for (const name of NAMES) {
        for (const thread of [0, 1, 2, undefined]) {
          const own = observations.filter((one) => one.name === name && (thread ?? one.thread) === one.thread);
          const { counts, sum } = thread === undefined ? sums[name] : (readings[thread]?.[name] ?? assert.fail());
          const bounds: readonly number[] = HISTOGRAM_BOUNDS[name];
          assert.equal(counts.length, bounds.length + 1);
          bounds.forEach((bound, i) => {
            const cumulative = counts.slice(0, i + 1).reduce((a, b) => a + b, 0);
            assert.equal(cumulative, own.filter(({ seconds }) => seconds <= bound).length);
          });
          assert.equal(
            counts.reduce((a, b) => a + b, 0),
            own.length,
          );
          const total = own.reduce((a, { seconds }) => a + seconds, 0);
          assert.ok(Math.abs(sum - total) <= 1e-9 * Math.max(1, total));
        }
      }
    }),
  );
});
