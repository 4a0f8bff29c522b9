// Times of the week, as a clock on the wall shows them: when a rule holds.
//
// A span is part of what the clock shows, not of the time that passes. Where clocks are changed twice a year, an hour
// that is left out in spring is in no span that day, and one that comes twice in autumn is in its span both times.

export const DAY_MINUTES = 24 * 60;
export const WEEK_MINUTES = 7 * DAY_MINUTES;

/** Minutes since Monday 00:00: the first, and the one after the last; `from < to`, so none goes over the week's end. */
export type WeekSpan = readonly [from: number, to: number];

/**
 * `days`: 0 is Monday. `from` and `to`: minutes since midnight; where `to` is not after `from`, it is of the day after.
 * Spans of whole days, 0 to DAY_MINUTES.
 */
export function weekSpans(days: readonly number[], from: number, to: number): WeekSpan[] {
  return days.flatMap((day): WeekSpan[] => {
    const start = day * DAY_MINUTES + from;
    const end = day * DAY_MINUTES + (to > from ? to : to + DAY_MINUTES);
    if (end <= WEEK_MINUTES) return [[start, end]];
    return [
      [start, WEEK_MINUTES],
      [0, end - WEEK_MINUTES],
    ];
  });
}

export function isWithin(spans: readonly WeekSpan[], minute: number): boolean {
  return spans.some(([from, to]) => from <= minute && minute < to);
}
