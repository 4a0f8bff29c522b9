// What a column of the table shows: a figure taken from a run. How each is taken is in figures.ts.

import { z } from 'zod';
import { section, time } from '../schema-parts.ts';
import { text } from './experiment-schema.ts';

const of = text('the name of a workload');
const window = { from: time.default(0), to: time.optional() };
const quantile = z
  .union([z.enum(['min', 'mean', 'max']), z.string().regex(/^p\d{1,2}(\.\d+)?$/)], {
    error: 'min, mean, max, or p50, p99 …',
  })
  .default('p50');
const direction = z.enum(['up', 'down'], { error: 'up or down' }).default('down');

const directions = z.enum(['up', 'down', 'both'], { error: 'up, down or both' }).default('both');

const SHAPES = {
  /** Payload received, Mbit/s. */
  goodput: { of, ...window },
  /** Goodput as a share of what the links named under `capacity` can carry in that time, per cent. */
  used: { of, ...window },
  /** The longest time without a byte, ms. */
  gap: { of },
  /** The longest time without a byte that begins within a second from a moment (of a cut), s. */
  pause: { of, after: time },
  /** From a moment (of a cut) until payload flows again for good, s; see figures.ts. */
  recovery: { of, after: time },
  /** From a moment (of a return) until a link carries 90 % of what it carried before, s. */
  regain: {
    link: text('the name of a link'),
    direction,
    after: time,
    /** The rate before: that of these moments. */
    before: z.tuple([time, time], { error: 'two times' }),
    share: z
      .number({ error: 'from 0 to 1' })
      .min(0, { error: 'from 0 to 1' })
      .max(1, { error: 'from 0 to 1' })
      .default(0.9),
    /** The rate is a mean over this long. */
    window: time.default(1_000),
  },
  /** What a link carried, Ethernet headers included, Mbit/s. */
  rate: { link: text('the name of a link'), direction, ...window },
  /** What it carried in all, Ethernet headers included, kB; all there was from before the first SYN, unless told otherwise. */
  bytes: { link: text('the name of a link'), direction: directions, from: time.optional(), to: time.optional() },
  /** From a moment until a link has carried its first, and its last, s; see analysis/carrying.ts. */
  begins: { link: text('the name of a link'), direction, after: time, to: time.optional() },
  ceases: { link: text('the name of a link'), direction, after: time, to: time.optional() },
  /** Subflows that connections of an anabranch have had towards servers, over one link or over all. */
  subflows: { process: text('the name of a process'), link: text('the name of a link').optional() },
  /** Of answers, ms. */
  latency: { of, ...window, at: quantile },
  /** Until connections stand, the proxy's handshake included, ms. */
  connect: { of, ...window, at: quantile },
  /** Of streams: time not played, ms; times it happened; time until it played, ms. */
  stalled: { of },
  stalls: { of },
  startup: { of },
  /** Growth of a counter of /proc/net/netstat or snmp in a host. */
  counter: { host: text('the name of a host'), name: text('a counter, such as TcpRetransSegs') },
  /** CPU time of a process as a share of one core, per cent, and its memory at the most, MB. */
  cpu: { process: text('the name of a process') },
  memory: { process: text('the name of a process') },
  /** How many of the runs finished with all bytes right, per cent. */
  finished: { of },
} as const;

export type MeasureKind = keyof typeof SHAPES;

export const measureSchema = z.discriminatedUnion(
  'take',
  [
    section({ take: z.literal('goodput'), ...SHAPES.goodput }, 'a measure of goodput'),
    section({ take: z.literal('used'), ...SHAPES.used }, 'a measure of used'),
    section({ take: z.literal('gap'), ...SHAPES.gap }, 'a measure of gap'),
    section({ take: z.literal('pause'), ...SHAPES.pause }, 'a measure of pause'),
    section({ take: z.literal('recovery'), ...SHAPES.recovery }, 'a measure of recovery'),
    section({ take: z.literal('regain'), ...SHAPES.regain }, 'a measure of regain'),
    section({ take: z.literal('rate'), ...SHAPES.rate }, 'a measure of rate'),
    section({ take: z.literal('bytes'), ...SHAPES.bytes }, 'a measure of bytes'),
    section({ take: z.literal('begins'), ...SHAPES.begins }, 'a measure of begins'),
    section({ take: z.literal('ceases'), ...SHAPES.ceases }, 'a measure of ceases'),
    section({ take: z.literal('subflows'), ...SHAPES.subflows }, 'a measure of subflows'),
    section({ take: z.literal('latency'), ...SHAPES.latency }, 'a measure of latency'),
    section({ take: z.literal('connect'), ...SHAPES.connect }, 'a measure of connect'),
    section({ take: z.literal('stalled'), ...SHAPES.stalled }, 'a measure of stalled'),
    section({ take: z.literal('stalls'), ...SHAPES.stalls }, 'a measure of stalls'),
    section({ take: z.literal('startup'), ...SHAPES.startup }, 'a measure of startup'),
    section({ take: z.literal('counter'), ...SHAPES.counter }, 'a measure of counter'),
    section({ take: z.literal('cpu'), ...SHAPES.cpu }, 'a measure of cpu'),
    section({ take: z.literal('memory'), ...SHAPES.memory }, 'a measure of memory'),
    section({ take: z.literal('finished'), ...SHAPES.finished }, 'a measure of finished'),
  ],
  { error: `a measure, { take: … } with one of ${Object.keys(SHAPES).join(', ')}` },
);
export type Measure = z.output<typeof measureSchema>;

export const UNITS: Readonly<Record<MeasureKind, string>> = {
  goodput: 'Mbit/s',
  used: '%',
  gap: 'ms',
  pause: 's',
  recovery: 's',
  regain: 's',
  rate: 'Mbit/s',
  bytes: 'kB',
  begins: 's',
  ceases: 's',
  subflows: '',
  latency: 'ms',
  connect: 'ms',
  stalled: 'ms',
  stalls: '',
  startup: 'ms',
  counter: '',
  cpu: '%',
  memory: 'MB',
  finished: '%',
};
