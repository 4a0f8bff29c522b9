import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';

import { PlayoutBuffer } from '#anabranch/analysis/playout.js';

const options = { bytesPerMs: 10, bufferMs: 100, resumeMs: 200, totalBytes: 100_000 };

function play(arrivals: readonly (readonly [number, number])[], endMs: number, given = options) {
  const playout = new PlayoutBuffer(given, 0);
  for (const [at, bytes] of arrivals) playout.onBytes(at, bytes);
  return playout.report(endMs);
}

describe('a playout buffer', () => {
  test('plays once it is filled', () => {
    assert.deepEqual(play([[50, 999]], 10_000), { startUpMs: undefined, stalls: [], stalledMs: 0 });
    assert.equal(
      play(
        [
          [50, 999],
          [70, 1],
        ],
        80,
      ).startUpMs,
      70,
    );
  });

  test('stalls at the moment it runs empty, and resumes when there is enough again', () => {
    // 100 ms of content at 0; the next comes at 250, too little to resume, and enough at 400.
    const report = play(
      [
        [0, 1_000],
        [250, 1_000],
        [400, 1_000],
      ],
      450,
    );
    assert.deepEqual(report, { startUpMs: 0, stalls: [{ atMs: 100, ms: 300 }], stalledMs: 300 });
  });

  test('what arrives just in time is played without a stall', () => {
    const arrivals = Array.from({ length: 100 }, (_, i) => [i * 100, 1_000] as const);
    assert.deepEqual(play(arrivals, 10_000).stalls, []);
  });

  test('a stall that lasts is counted up to the end', () => {
    assert.deepEqual(play([[0, 1_000]], 600).stalls, [{ atMs: 100, ms: 500 }]);
  });

  test('the end of the content is no stall, and the last piece is waited for no longer than it takes to come', () => {
    const short = { ...options, totalBytes: 1_500 };
    assert.deepEqual(
      play(
        [
          [0, 1_000],
          [120, 500],
        ],
        9_999,
        short,
      ).stalls,
      [{ atMs: 100, ms: 20 }],
    );
    assert.equal(play([[30, 500]], 40, { ...options, totalBytes: 500 }).startUpMs, 30);
  });

  test('agrees with a player that takes one byte after the other', () => {
    const arrivals = fc.array(fc.tuple(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 2_000 })), {
      minLength: 1,
      maxLength: 30,
    });
    fc.assert(
      fc.property(arrivals, (steps) => {
        let at = 0;
        const timed = steps.map(([after, bytes]) => {
          at += after;
          return [at, bytes] as const;
        });
        const total = timed.reduce((sum, [, bytes]) => sum + bytes, 0);
        const given = { bytesPerMs: 1, bufferMs: 500, resumeMs: 300, totalBytes: total };
        const report = play(timed, at + 10, given);
        // The oracle goes from millisecond to millisecond: bytes of that moment first, then one is played.
        let received = 0;
        let played = 0;
        let stalled = 0;
        let state = 'filling';
        for (let now = 0; now < at + 10; now++) {
          const before = received;
          for (const [when, bytes] of timed) if (when === now) received += bytes;
          if (state === 'playing' && played === before && played < total) {
            if (received === before) state = 'stalled';
          }
          const needed = state === 'filling' ? 500 : 300;
          if (state !== 'playing' && received > before && (received === total || received - played >= needed)) {
            state = 'playing';
          }
          if (state === 'stalled') stalled++;
          if (state === 'playing' && played < received) played++;
        }
        assert.ok(Math.abs(report.stalledMs - stalled) < 1e-6, `${report.stalledMs} and ${stalled}`);
      }),
    );
  });
});
