// The kinds of values of which the schema is made.
//
// A convention: the message of every issue is the hint, what would be right. What is wrong is said by issues.ts, from
// the issue's code or the `wrong` among its parameters.

import { z } from 'zod';
import * as read from './readings.ts';

/** Against files that would take minutes to check; far beyond what one machine serves. */
export const LIST_MAX = 100_000;

interface About {
  readonly description: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
}

function about({ description, default: preset, examples }: About): Record<string, unknown> {
  return {
    description,
    ...(preset === undefined ? {} : { default: preset }),
    ...(examples === undefined ? {} : { examples }),
  };
}

export function text<T>(reader: (text: string) => read.Reading<T>, hint: string, info: About) {
  return z
    .string({ error: hint })
    .meta(about(info))
    .transform((value, context) => take(reader(value), context));
}

export function take<T>(reading: read.Reading<T>, context: z.RefinementCtx): T {
  if ('value' in reading) return reading.value;
  context.addIssue({ code: 'custom', message: reading.hint, params: { wrong: reading.wrong } });
  return z.NEVER;
}

export function matching(pattern: RegExp, hint: string, info: About) {
  return z.string({ error: hint }).regex(pattern, { error: hint }).meta(about(info));
}

export function integer(min: number, max: number, info: About) {
  const error = `a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error }).meta(about(info));
}

export function flag(info: About) {
  return z.boolean({ error: 'true or false' }).meta(about(info));
}

export function choice<const T extends readonly [string, ...string[]]>(values: T, info: About) {
  return z.enum(values, { error: `one of ${values.join(', ')}` }).meta(about(info));
}

export function list<T extends z.ZodType>(entry: T, hint: string, max: number) {
  const error = `a list of at most ${max} entries: ${hint}`;
  return z.array(entry, { error }).max(max, { error });
}

/** A single entry, or a list of at least one. */
export function oneOrMore<T extends z.ZodType>(entry: T, hint: string) {
  const error = `one, or a list of at least one: ${hint}`;
  const single = entry.transform((value): z.output<T>[] => [value]);
  return z.union([single, list(entry, hint, LIST_MAX).min(1, { error })], { error: hint });
}

/** A map of known keys. The message for an unknown one is the list of those: issues.ts looks for the nearest. */
export function section<T extends z.ZodRawShape>(shape: T, description: string) {
  return z
    .strictObject(shape, {
      error: (issue) =>
        issue.code === 'unrecognized_keys' ? Object.keys(shape).join(' ') : `keys and values of ${description}`,
    })
    .meta({ description });
}

export function duration(minMs: number, description: string, preset: string) {
  return text((value) => read.readDuration(value, minMs), read.durationHint(preset), {
    description: `${description} A number with its unit (ms, s, m, h).`,
    default: preset,
  });
}

export const NAME_HINT = 'letters, digits, dots, hyphens and underscores, at most 63, a letter or digit first';
export const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export const network = text(read.readNetwork, read.NETWORK_HINT, {
  description: 'A network in CIDR notation, or a single address.',
  examples: ['192.0.2.0/24', '2001:db8::/32'],
});
