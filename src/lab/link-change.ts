// How people describe a link or a change to one: schemas of what they write, and its application to settings.

import { z } from 'zod';
import { type DirectionSettings, type Loss, NO_LOSS, type QueueLimit } from './link-settings.ts';
import {
  parseRate,
  parseShare,
  parseSize,
  parseTime,
  RATE_HINT,
  SHARE_HINT,
  SIZE_HINT,
  TIME_HINT,
} from './quantities.ts';

/** A value people write as text with a unit or as a plain number. */
function quantity(parse: (value: string | number) => number | undefined, hint: string) {
  return z.union([z.string(), z.number()], { error: `must be ${hint}` }).transform((value, context) => {
    const parsed = parse(value);
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: 'custom', message: `must be ${hint}; it is ${JSON.stringify(value)}` });
    return z.NEVER;
  });
}

export const rate = quantity(parseRate, RATE_HINT);
export const time = quantity(parseTime, TIME_HINT);
const share = quantity(parseShare, SHARE_HINT);

const queue = z.union([z.string(), z.number()]).transform((value, context): QueueLimit => {
  const bytes = parseSize(value);
  if (bytes !== undefined) return { bytes };
  const ms = typeof value === 'string' ? parseTime(value) : undefined;
  if (ms !== undefined) return { ms };
  const message = `must be ${SIZE_HINT}, or ${TIME_HINT.split(',')[0]} at the link's rate; it is ${JSON.stringify(value)}`;
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});

/** Bursts: either the four parameters, or the mean share lost and the mean length of a burst in frames. */
const burstyLoss = z.union([
  z
    .strictObject({ average: share, burst: z.number().min(1) })
    .refine(({ average, burst }) => average < 1 && average <= burst * (1 - average), {
      error: 'so short bursts cannot lose so much: the gap between two would be shorter than a frame',
    })
    .transform(
      ({ average, burst }): Loss => ({
        kind: 'gilbert-elliott',
        goodToBad: average / (burst * (1 - average)),
        badToGood: 1 / burst,
        lossGood: 0,
        lossBad: 1,
      }),
    ),
  z.strictObject({ p: share, r: share, good: share.default(0), bad: share.default(1) }).transform(
    ({ p, r, good, bad }): Loss => ({
      kind: 'gilbert-elliott',
      goodToBad: p,
      badToGood: r,
      lossGood: good,
      lossBad: bad,
    }),
  ),
]);

const loss = z.union([
  share.transform((probability): Loss => (probability === 0 ? NO_LOSS : { kind: 'random', probability })),
  burstyLoss,
]);

/** A list of milliseconds, as in Mahimahi's files. */
export const trace = z
  .array(z.number().int().min(0))
  .min(1)
  .refine((times) => times.every((time, i) => i === 0 || time >= times[i - 1]!), 'must ascend')
  .refine((times) => (times.at(-1) ?? 0) > 0, 'must end after 0 ms');

export const directionShape = {
  rate: z.union([z.literal('unlimited').transform(() => Number.POSITIVE_INFINITY), rate]).optional(),
  trace: z.union([trace, z.null()]).optional(),
  delay: time.optional(),
  jitter: time.optional(),
  reorder: z.boolean().optional(),
  loss: loss.optional(),
  queue: queue.optional(),
};

const directionChange = z.strictObject(directionShape);
export type DirectionChange = z.output<typeof directionChange>;

export const linkChangeShape = {
  ...directionShape,
  /** Half of it in each direction. */
  rtt: time.optional(),
  up: directionChange.optional(),
  down: directionChange.optional(),
};

/** What `link.set` takes: for both directions, and for one of them under `up` or `down`. */
export const linkChange = z.strictObject(linkChangeShape);
export type LinkChangeInput = z.input<typeof linkChange>;
export type LinkChange = z.output<typeof linkChange>;

function applyDirection(before: DirectionSettings, change: DirectionChange): DirectionSettings {
  return {
    rate: change.rate ?? before.rate,
    trace: change.trace === undefined ? before.trace : (change.trace ?? undefined),
    delayMs: change.delay ?? before.delayMs,
    jitterMs: change.jitter ?? before.jitterMs,
    reorder: change.reorder ?? before.reorder,
    loss: change.loss ?? before.loss,
    queue: change.queue ?? before.queue,
  };
}

/** The settings of one direction after a change to its link. */
export function applyChange(
  before: DirectionSettings,
  change: LinkChange,
  direction: 'up' | 'down',
): DirectionSettings {
  const { rtt, up, down, ...both } = change;
  const halved = rtt === undefined ? both : { delay: rtt / 2, ...both };
  return applyDirection(applyDirection(before, halved), (direction === 'up' ? up : down) ?? {});
}
