import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';

import { parseRate, parseShare, parseSize, parseTime } from '#anabranch/lab/quantities.js';

type Parse = (value: string | number) => number | undefined;
type Table = readonly (readonly [string | number, number | undefined])[];

const TABLES: readonly (readonly [string, Parse, Table])[] = [
  [
    'rates are bits per second',
    parseRate,
    [
      ['20mbit', 20e6],
      ['1.5gbit', 1.5e9],
      ['500kbit', 500e3],
      ['300 bit', 300],
      ['20Mbit/s', 20e6],
      [' 7mbit ', 7e6],
      [1e6, 1e6],
      ['20', undefined],
      ['20mbps', undefined],
      ['20MB', undefined],
      ['-1mbit', undefined],
      ['0mbit', undefined],
      [0, undefined],
      [Number.NaN, undefined],
      ['1e3bit', undefined],
      ['', undefined],
    ],
  ],
  [
    'times are milliseconds',
    parseTime,
    [
      ['20ms', 20],
      ['1.5s', 1_500],
      ['500us', 0.5],
      ['2min', 120_000],
      ['0ms', 0],
      [35, 35],
      [0, 0],
      ['20', undefined],
      ['20MS', undefined],
      [-1, undefined],
      [Number.POSITIVE_INFINITY, undefined],
      ['1h', undefined],
    ],
  ],
  [
    'shares lie between 0 and 1',
    parseShare,
    [
      ['1%', 0.01],
      ['0.5 %', 0.005],
      ['100%', 1],
      ['0.01', 0.01],
      [1, 1],
      [0, 0],
      ['101%', undefined],
      [2, undefined],
      [-0.1, undefined],
      ['half', undefined],
      ['%', undefined],
      [Number.NaN, undefined],
    ],
  ],
  [
    'sizes are whole bytes',
    parseSize,
    [
      ['64kB', 64_000],
      ['64KiB', 65_536],
      ['1MiB', 1_048_576],
      ['1.5MB', 1_500_000],
      ['100 B', 100],
      [1_500, 1_500],
      ['1.2345kB', 1_235],
      ['64k', undefined],
      ['1GB', undefined],
      [-1, undefined],
      [Number.POSITIVE_INFINITY, undefined],
    ],
  ],
];

for (const [title, parse, table] of TABLES) {
  describe(title, () => {
    for (const [text, expected] of table) {
      test(`${JSON.stringify(text)} → ${expected ?? 'refused'}`, () => {
        const value = parse(text);
        if (expected === undefined || value === undefined) assert.equal(value, expected);
        else assert.ok(Math.abs(value - expected) <= 1e-9 * Math.abs(expected), `${value}`);
      });
    }

    test('any text gives a number or nothing', () => {
      fc.assert(
        fc.property(fc.oneof(fc.string(), fc.double()), (text) => {
          const value = parse(text);
          assert.ok(value === undefined || value >= 0);
        }),
      );
    });
  });
}
