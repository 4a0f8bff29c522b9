// Workloads as an experiment file writes them, with units, and their way to the lab's own form.

import { z } from 'zod';
import { rate, section, size, time, whole } from '../schema-parts.ts';
import type { Workload } from '../workloads/workload.ts';
import { text } from './experiment-schema.ts';

const seconds = time.transform((ms) => ms / 1_000);

const TO_HINT = 'the name of a host, or { host, port, address }';
const to = z.union(
  [
    z.string().transform((host) => ({ host })),
    section(
      { host: text('the name of a host'), port: whole(1, 65_535).optional(), address: z.string().optional() },
      'a server',
    ),
  ],
  { error: TO_HINT },
);

const VIA_HINT = 'host:port of a SOCKS proxy, or direct';
const via = z
  .string({ error: VIA_HINT })
  .regex(/^(direct|[^:]+:\d{1,5}|\[[^\]]+\]:\d{1,5})$/, { error: VIA_HINT })
  .transform((socks) => (socks === 'direct' ? undefined : { socks }));

const start = { start: time.default(0) };
const route = {
  ...start,
  from: text('the name of a host'),
  to,
  via: via.optional(),
  transport: z.enum(['tcp', 'mptcp'], { error: 'tcp or mptcp' }).default('tcp'),
  congestion: text('a congestion control').optional(),
  receiveBuffer: size.optional(),
  sendBuffer: size.optional(),
  timeout: seconds.optional(),
};
const ends = { bytes: size.optional(), seconds: seconds.optional() };
const counts = { count: whole(1, 1_000_000).optional(), seconds: seconds.optional() };
const sizes = { requestBytes: size.default(64), responseBytes: size.default(64) };
const flows = { flows: whole(1, 256).optional() };

const SHAPES = {
  bulk: {
    ...route,
    ...ends,
    ...flows,
    direction: z.enum(['down', 'up'], { error: 'down or up' }).default('down'),
  },
  'ping-pong': { ...route, ...counts, ...sizes, ...flows, interval: time.default(0) },
  'connect-close': {
    ...route,
    ...counts,
    ...sizes,
    perSecond: z.number({ error: 'a number' }).positive({ error: 'above 0' }).optional(),
    parallel: whole(1, 10_000).optional(),
  },
  stream: {
    ...route,
    rate,
    seconds,
    buffer: time.default(2_000),
    resume: time.optional(),
  },
  page: {
    ...route,
    objects: z.array(size, { error: 'a list of sizes' }).min(1, { error: 'at least one object' }),
    requestBytes: size.optional(),
    parallel: whole(1, 100).optional(),
    count: whole(1, 10_000).optional(),
  },
  tool: {
    ...start,
    from: text('the name of a host'),
    command: z.array(z.string({ error: 'text' }), { error: 'a list of texts' }).min(1, { error: 'a program' }),
    input: z.string({ error: 'text' }).optional(),
    env: z.record(z.string(), z.string({ error: 'text' })).optional(),
    timeout: seconds.optional(),
  },
} as const;

export const workloadSchema = z.discriminatedUnion(
  'kind',
  [
    section({ kind: z.literal('bulk'), ...SHAPES.bulk }, 'a bulk workload'),
    section({ kind: z.literal('ping-pong'), ...SHAPES['ping-pong'] }, 'a ping-pong workload'),
    section({ kind: z.literal('connect-close'), ...SHAPES['connect-close'] }, 'a connect-close workload'),
    section({ kind: z.literal('stream'), ...SHAPES.stream }, 'a stream workload'),
    section({ kind: z.literal('page'), ...SHAPES.page }, 'a page workload'),
    section({ kind: z.literal('tool'), ...SHAPES.tool }, 'a tool workload'),
  ],
  { error: `a workload, { kind: … } with one of ${Object.keys(SHAPES).join(', ')}` },
);
type Shaped = z.output<typeof workloadSchema>;

/** A workload and when it starts, in milliseconds after the first. */
export interface PlannedWorkload {
  readonly name: string;
  readonly startMs: number;
  readonly workload: Workload;
}

export function planWorkload(name: string, shape: Shaped): PlannedWorkload {
  return { name, startMs: shape.start, workload: workloadOf(shape) };
}

function workloadOf(shape: Shaped): Workload {
  if (shape.kind === 'tool') {
    const { start: _, timeout, ...tool } = shape;
    return { ...tool, timeoutSeconds: timeout };
  }
  const { start: _, timeout, ...rest } = shape;
  const common = { timeoutSeconds: timeout };
  if (rest.kind === 'ping-pong') {
    const { interval, ...workload } = rest;
    return { ...workload, ...common, intervalMs: interval };
  }
  if (rest.kind === 'stream') {
    const { rate: bitsPerSecond, buffer, resume, ...workload } = rest;
    return { ...workload, ...common, bitsPerSecond, bufferMs: buffer, resumeMs: resume };
  }
  return { ...rest, ...common };
}
