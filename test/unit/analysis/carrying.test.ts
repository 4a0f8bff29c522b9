import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { beginsMs, ceasesMs } from '#anabranch/analysis/carrying.js';

const START = 10_000;
const series = (...bytes: readonly number[]) => ({ startMs: START, binMs: 50, bytes });

describe('a path that begins to carry', () => {
  for (const [name, bytes, span, expected] of [
    ['at once', [0, 9_000, 9_000], { fromMs: START + 50 }, 50],
    ['later', [0, 0, 0, 9_000], { fromMs: START + 50 }, 150],
    ['what came before does not count', [9_000, 9_000, 0, 9_000], { fromMs: START + 100 }, 100],
    ['nor does the bin in which the moment lies', [0, 9_000, 9_000], { fromMs: START + 60 }, 90],
    ['nor the odd small packet', [0, 90, 60, 1_500], { fromMs: START }, 200],
    ['never', [9_000, 90, 60], { fromMs: START + 50 }, undefined],
    ['too late', [0, 0, 0, 9_000], { fromMs: START, toMs: START + 150 }, undefined],
    ['no series at all', [], { fromMs: START }, undefined],
  ] as const) {
    test(name, () => assert.equal(beginsMs(series(...bytes), span), expected));
  }
});

describe('a path that ceases to carry', () => {
  for (const [name, bytes, span, expected] of [
    ['at once', [9_000, 9_000, 0, 0], { fromMs: START + 100 }, 0],
    ['later', [9_000, 9_000, 9_000, 0, 1_500, 60, 0], { fromMs: START + 100 }, 150],
    ['it still carries at the end', [9_000, 9_000, 9_000], { fromMs: START + 50 }, 100],
    [
      'what comes after the end of the span does not count',
      [9_000, 0, 9_000],
      { fromMs: START + 50, toMs: START + 100 },
      0,
    ],
    ['it never carried anything', [0, 60, 0, 0], { fromMs: START + 100 }, undefined],
    ['only later', [0, 60, 9_000, 0], { fromMs: START + 100 }, undefined],
    ['no series at all', [], { fromMs: START }, undefined],
  ] as const) {
    test(name, () => assert.equal(ceasesMs(series(...bytes), span), expected));
  }
});
