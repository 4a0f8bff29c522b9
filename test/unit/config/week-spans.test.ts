// Which minutes of the week a text takes in.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { readWeekSpans } from '#anabranch/config/week-spans.js';
import { isWithin, WEEK_MINUTES, type WeekSpan } from '#anabranch/routing/week-time.js';

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];

function spansOf(text: string): readonly WeekSpan[] {
  const reading = readWeekSpans(text);
  assert.ok('value' in reading, `${text}: ${JSON.stringify(reading)}`);
  return reading.value;
}

/** `tue 07:30` */
function at(text: string): number {
  const [day = '', time = ''] = text.split(' ');
  const [hour, minute] = time.split(':').map(Number);
  return DAYS.indexOf(day) * 1_440 + (hour as number) * 60 + (minute as number);
}

const TABLE: readonly (readonly [text: string, inside: readonly string[], outside: readonly string[]])[] = [
  ['mon-fri 08:00-18:00', ['mon 08:00', 'fri 17:59'], ['mon 07:59', 'fri 18:00', 'sat 12:00', 'sun 12:00']],
  ['22:00-06:00', ['mon 22:00', 'tue 05:59', 'mon 00:00', 'sun 23:59'], ['mon 06:00', 'sun 21:59']],
  ['fri 22:00-06:00', ['fri 22:00', 'sat 05:59'], ['fri 05:59', 'sat 22:00']],
  ['sun 22:00-06:00', ['sun 22:00', 'sun 23:59', 'mon 00:00', 'mon 05:59'], ['mon 06:00', 'sun 05:59']],
  ['sat,sun', ['sat 00:00', 'sun 23:59'], ['fri 23:59', 'mon 00:00']],
  ['fri-mon 9:00-24:00', ['fri 09:00', 'sat 23:59', 'mon 23:59'], ['tue 09:00', 'thu 23:59', 'fri 08:59']],
  ['wed,mon-tue', ['mon 00:00', 'wed 23:59'], ['thu 00:00']],
  ['  MON   0:00-0:01 ', ['mon 00:00'], ['mon 00:01', 'tue 00:00']],
  ['18:00-0:00', ['mon 18:00', 'sun 23:59'], ['mon 00:00', 'mon 17:59']],
];

test('days and spans of the day, over midnight and over the week', () => {
  for (const [text, inside, outside] of TABLE) {
    const spans = spansOf(text);
    for (const moment of inside) assert.equal(isWithin(spans, at(moment)), true, `${text}: ${moment}`);
    for (const moment of outside) assert.equal(isWithin(spans, at(moment)), false, `${text}: ${moment}`);
  }
});

test('what is no time of the week', () => {
  const table: readonly (readonly [string, RegExp])[] = [
    ['', /no time of the week/],
    ['08:00-18:00 mon', /no time of the week/],
    ['mon 08:00 - 18:00', /no time of the week/],
    ['monday', /does not name days by "monday"/],
    ['mon-tue-wed', /does not name days/],
    ['mon,,tue', /does not name days by ""/],
    ['mon-', /does not name days by "mon-"/],
    ['-mon', /does not name days/],
    ['mon 8-18', /no span of the day/],
    ['08:00', /no span of the day/],
    ['08:60-09:00', /no clock shows/],
    ['08:00-24:01', /no clock shows/],
    ['24:00-25:00', /no clock shows/],
    ['08:00-08:00', /ends as it begins/],
  ];
  for (const [text, wrong] of table) {
    const reading = readWeekSpans(text);
    assert.ok('wrong' in reading, text);
    assert.match(reading.wrong, wrong, text);
    assert.notEqual(reading.hint, '');
  }
});

test('every minute of the week is in the spans or not, as a clock with hands would have it', () => {
  const time = fc.integer({ min: 0, max: 1_439 });
  const show = (minutes: number) =>
    `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;
  fc.assert(
    fc.property(fc.subarray(DAYS, { minLength: 1 }), time, fc.integer({ min: 0, max: 1_440 }), (days, from, to) => {
      fc.pre(from !== to);
      const text = `${days.join(',')} ${show(from)}-${show(to)}`;
      const spans = spansOf(text);
      for (const [begin, end] of spans) assert.ok(0 <= begin && begin < end && end <= WEEK_MINUTES);
      for (let minute = 0; minute < WEEK_MINUTES; minute++) {
        const [today, clock] = [Math.floor(minute / 1_440), minute % 1_440];
        const isOn = (day: number) => days.includes(DAYS[(day + 7) % 7] as string);
        const expected =
          from < to
            ? isOn(today) && clock >= from && clock < to
            : (isOn(today) && clock >= from) || (isOn(today - 1) && clock < to);
        if (isWithin(spans, minute) !== expected) assert.fail(`${text}: minute ${minute}`);
      }
    }),
    { numRuns: 60 },
  );
});

test('any text is read or refused with a reason', () => {
  const word = fc.constantFrom(...DAYS, '-', ',', ' ', ':', '0', '8', '18', '24', '99', 'x');
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(word).map((words) => words.join('')),
      ),
      (text) => {
        const reading = readWeekSpans(text);
        if ('value' in reading) assert.ok(reading.value.length > 0);
        else assert.ok(reading.wrong !== '' && reading.hint !== '');
      },
    ),
  );
});
