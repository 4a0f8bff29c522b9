// The course of a link over time, as lists of values at equal steps: how a walk out of Wi-Fi looks, for example. Becomes
// entries of a timeline.

import { z } from 'zod';
import { linkChange } from '../link-change.ts';
import { section, time } from '../schema-parts.ts';
import type { TimelineEntry } from '../timeline.ts';
import { text } from './experiment-schema.ts';

const STEPS_MAX = 10_000;
const list = z.array(z.unknown(), { error: 'a list of values, one for each step' }).max(STEPS_MAX, {
  error: `at most ${STEPS_MAX}`,
});
const STEPPED = ['rate', 'delay', 'loss'] as const;

export const courseSchema = section(
  {
    link: text('the name of a link'),
    from: time.default(0),
    every: time,
    rate: list.optional(),
    delay: list.optional(),
    loss: list.optional(),
  },
  'a course',
);
export type Course = z.output<typeof courseSchema>;

export interface CourseFault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** One change of the link for each step; a list that is shorter than the others keeps its last value. */
export function courseEntries(course: Course, faults: CourseFault[]): TimelineEntry[] {
  const steps = Math.max(0, ...STEPPED.map((key) => course[key]?.length ?? 0));
  if (steps === 0) faults.push({ path: [], message: `needs a list of ${STEPPED.join(', ')}` });
  return Array.from({ length: steps }, (_, step): TimelineEntry[] => {
    const given = STEPPED.filter((key) => step < (course[key]?.length ?? 0));
    const change = linkChange.safeParse(Object.fromEntries(given.map((key) => [key, course[key]![step]])));
    if (!change.success) {
      for (const { path, message } of change.error.issues) {
        faults.push({ path: [String(path[0] ?? ''), step], message });
      }
      return [];
    }
    const action = { kind: 'set', link: course.link, change: change.data } as const;
    return [{ atMs: course.from + step * course.every, action }];
  }).flat();
}
