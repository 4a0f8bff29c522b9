// `when.time` of a rule, from text: days, a span of the day, or both.

import { DAY_MINUTES, type WeekSpan, weekSpans } from '../routing/week-time.ts';
import type { Reading } from './readings.ts';

export const TIME_HINT = 'days, a span of the day, or both: "mon-fri 08:00-18:00", "22:00-06:00", "sat,sun"';

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const DAY_HINT = `days are ${DAYS.join(', ')}: mon-fri, or sat,sun`;

export function readWeekSpans(text: string): Reading<readonly WeekSpan[]> {
  const words = text.trim().toLowerCase().split(/\s+/);
  const [first = '', second, ...rest] = words;
  if (first === '' || rest.length > 0) return { wrong: 'is no time of the week', hint: TIME_HINT };
  const startsWithDays = !/^\d/.test(first);
  if (!startsWithDays && second !== undefined) return { wrong: 'is no time of the week', hint: TIME_HINT };
  const days = startsWithDays ? readDays(first) : { value: DAYS.map((_, day) => day) };
  if (!('value' in days)) return days;
  const hours = startsWithDays ? second : first;
  const span = hours === undefined ? { value: [0, DAY_MINUTES] as const } : readDaySpan(hours);
  if (!('value' in span)) return span;
  const [from, to] = span.value;
  return { value: weekSpans(days.value, from, to) };
}

/** `mon`, `mon-fri`, `fri-mon`, `mon,wed,sat-sun`; 0 is Monday. */
function readDays(text: string): Reading<number[]> {
  const days = new Set<number>();
  for (const part of text.split(',')) {
    const names = part.split('-');
    const [from = -1, to = from] = names.map((name) => DAYS.indexOf(name));
    if (names.length > 2 || from < 0 || to < 0) return { wrong: `does not name days by "${part}"`, hint: DAY_HINT };
    for (let day = from; ; day = (day + 1) % DAYS.length) {
      days.add(day);
      if (day === to) break;
    }
  }
  return { value: [...days] };
}

/** Minutes since midnight. */
function readDaySpan(text: string): Reading<readonly [number, number]> {
  const match = /^(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})$/.exec(text);
  if (!match) return { wrong: 'has no span of the day', hint: 'from and to, hours and minutes: 08:00-18:00' };
  const [fromHour = 0, fromMinute = 0, toHour = 0, toMinute = 0] = match.slice(1).map(Number);
  const from = fromHour * 60 + fromMinute;
  const to = toHour * 60 + toMinute;
  if (fromMinute > 59 || toMinute > 59 || from >= DAY_MINUTES || to > DAY_MINUTES) {
    return { wrong: 'has an hour that no clock shows', hint: 'from 00:00 to 23:59; 24:00 as an end' };
  }
  if (from === to) return { wrong: 'ends as it begins', hint: 'the whole day is 00:00-24:00' };
  return { value: [from, to] };
}
