// What the schemas of topologies and experiments are made of. By convention the message of an issue is its hint, what would
// be right.

import { z } from 'zod';
import { parseRate, parseSize, parseTime, RATE_HINT, SIZE_HINT, TIME_HINT } from './quantities.ts';

/** A map of known keys; for an unknown one the message is the list of those, from which the nearest is suggested. */
export function section<T extends z.ZodRawShape>(shape: T, description: string) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys' ? Object.keys(shape).join(' ') : `keys and values of ${description}`,
  });
}

export function whole(min: number, max: number) {
  const error = `a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

/** A value people write as text with a unit or as a plain number. */
export function quantity(parse: (value: string | number) => number | undefined, hint: string) {
  return z.union([z.string(), z.number()], { error: hint }).transform((value, context): number => {
    const parsed = parse(value);
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: 'custom', message: hint });
    return z.NEVER;
  });
}

/** Bits per second. */
export const rate = quantity(parseRate, RATE_HINT);
/** Milliseconds. */
export const time = quantity(parseTime, TIME_HINT);
/** Bytes. */
export const size = quantity(parseSize, SIZE_HINT);
