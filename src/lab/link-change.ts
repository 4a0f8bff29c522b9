// How people describe a link or a change to one: schemas of what they write, and its application to settings.

import { z } from 'zod';
import { type DirectionSettings, type Loss, NO_LOSS, type QueueLimit } from './link-settings.ts';
import { parseShare, parseSize, parseTime, RATE_HINT, SHARE_HINT, SIZE_HINT, TIME_HINT } from './quantities.ts';
import { quantity, rate, section, time } from './schema-parts.ts';

const share = quantity(parseShare, SHARE_HINT);

const QUEUE_HINT = `${SIZE_HINT}, or ${TIME_HINT.split(',')[0]} at the link's rate`;
const queue = z.union([z.string(), z.number()], { error: QUEUE_HINT }).transform((value, context): QueueLimit => {
  const bytes = parseSize(value);
  if (bytes !== undefined) return { bytes };
  const ms = typeof value === 'string' ? parseTime(value) : undefined;
  if (ms !== undefined) return { ms };
  context.addIssue({ code: 'custom', message: QUEUE_HINT });
  return z.NEVER;
});

const BURST_HINT = 'the mean number of frames lost in a row, 1 or more';
const BURSTY_HINT = '{ average, burst } or { p, r, good, bad }';
const tooDense = { wrong: 'asks for more loss than bursts so short can make' };

/** Bursts: either the four parameters, or the mean share lost and the mean length of a burst in frames. */
const burstyLoss = z.union(
  [
    section({ average: share, burst: z.number({ error: BURST_HINT }).min(1, { error: BURST_HINT }) }, BURSTY_HINT)
      .refine(({ average, burst }) => average < 1 && average <= burst * (1 - average), {
        error: 'a gap between two bursts is at least one frame: lose less, or in longer bursts',
        params: tooDense,
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
    section({ p: share, r: share, good: share.default(0), bad: share.default(1) }, BURSTY_HINT).transform(
      ({ p, r, good, bad }): Loss => ({
        kind: 'gilbert-elliott',
        goodToBad: p,
        badToGood: r,
        lossGood: good,
        lossBad: bad,
      }),
    ),
  ],
  { error: BURSTY_HINT },
);

const loss = z.union(
  [share.transform((probability): Loss => (probability === 0 ? NO_LOSS : { kind: 'random', probability })), burstyLoss],
  { error: `${SHARE_HINT}, or ${BURSTY_HINT}` },
);

export const TRACE_HINT = "a file of Mahimahi's format: ascending whole milliseconds, one a line, the last above 0";

/** A list of milliseconds, as in Mahimahi's files. */
export const trace = z
  .array(z.int({ error: TRACE_HINT }).min(0, { error: TRACE_HINT }), { error: TRACE_HINT })
  .min(1, { error: TRACE_HINT })
  .refine((times) => times.every((time, i) => i === 0 || time >= times[i - 1]!), {
    error: TRACE_HINT,
    params: { wrong: 'does not ascend' },
  })
  .refine((times) => (times.at(-1) ?? 0) > 0, { error: TRACE_HINT, params: { wrong: 'ends at 0 ms' } });

const UNLIMITED_HINT = `${RATE_HINT}, or unlimited`;

export const directionShape = {
  rate: z
    .union([z.literal('unlimited').transform(() => Number.POSITIVE_INFINITY), rate], { error: UNLIMITED_HINT })
    .optional(),
  trace: z.union([trace, z.null()], { error: TRACE_HINT }).optional(),
  delay: time.optional(),
  jitter: time.optional(),
  reorder: z.boolean({ error: 'true or false' }).optional(),
  loss: loss.optional(),
  queue: queue.optional(),
};

const directionChange = section(directionShape, 'one direction of a link');
export type DirectionChange = z.output<typeof directionChange>;

export const linkChangeShape = {
  ...directionShape,
  /** Half of it in each direction. */
  rtt: time.optional(),
  up: directionChange.optional(),
  down: directionChange.optional(),
};

/** What `link.set` takes: for both directions, and for one of them under `up` or `down`. */
export const linkChange = section(linkChangeShape, 'a link');
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
