import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { type CourseFault, courseEntries, courseSchema } from '#anabranch/lab/experiments/course.js';

function entries(input: object): { entries: ReturnType<typeof courseEntries>; faults: CourseFault[] } {
  const faults: CourseFault[] = [];
  return { entries: courseEntries(courseSchema.parse(input), faults), faults };
}

describe('courses', () => {
  test('become one change a step', () => {
    const { entries: made, faults } = entries({
      link: 'wifi',
      from: '2s',
      every: '500ms',
      rate: ['20mbit', 1e6],
      loss: ['1%'],
    });
    assert.deepEqual(faults, []);
    assert.deepEqual(made, [
      {
        atMs: 2_000,
        action: { kind: 'set', link: 'wifi', change: { rate: 20e6, loss: { kind: 'random', probability: 0.01 } } },
      },
      { atMs: 2_500, action: { kind: 'set', link: 'wifi', change: { rate: 1e6 } } },
    ]);
  });

  test('a wrong value is told at its place', () => {
    const { faults } = entries({ link: 'wifi', every: '1s', rate: ['20mbit', '20 Mbps'], loss: ['2'] });
    assert.deepEqual(
      faults.map(({ path }) => path),
      [
        ['loss', 0],
        ['rate', 1],
      ],
    );
  });

  test('nothing to change is a fault', () => {
    assert.match(entries({ link: 'wifi', every: '1s' }).faults[0]?.message ?? '', /needs a list of rate, delay, loss/);
  });
});
