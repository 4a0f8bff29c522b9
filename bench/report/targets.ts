// What the proxy sets itself: each a figure against a bound. Pure.

import type { Results, Spread } from './results.ts';

export interface Target {
  readonly what: string;
  readonly measure: string;
  readonly metric: string;
  /** Ratio to this peer; undefined: the figure itself. */
  readonly peer?: string;
  readonly bound: number;
  readonly better: 'more' | 'less';
}

export interface Verdict {
  readonly target: Target;
  readonly found: Spread | undefined;
  /** By the median; `unknown`: not measured. */
  readonly verdict: 'met' | 'missed' | 'unknown';
}

const UP = 'tcp/up';
const DOWN = 'tcp/down';
const MPTCP_UP = 'mptcp-client/up';
const MPTCP_DOWN = 'mptcp-client/down';

/** The same target under the benchmark's own load and under iperf3's. */
function throughput(what: string, path: string, peer: string, bound: number): Target[] {
  return loads(path).map(([load, measure]) => {
    return {
      what: `throughput, one stream, ${what}, ${load}`,
      measure,
      metric: 'gigabits',
      peer,
      bound,
      better: 'more',
    };
  });
}

function cpu(what: string, path: string): Target[] {
  const metric = 'cpuPerGigabyte';
  return loads(path).map(([load, measure]) => {
    const title = `CPU per GB, one stream, ${what}, ${load}`;
    return { what: title, measure, metric, peer: 'haproxy', bound: 0.6, better: 'less' };
  });
}

function loads(path: string): [string, string][] {
  return [
    ['own load', `throughput/forward/${path}/1`],
    ['iperf3', `iperf/${path}`],
  ];
}

function delay(what: string, metric: string, bound: number): Target {
  return { what: `added delay, ${what}, median, µs`, measure: 'delay/forward', metric, bound, better: 'less' };
}

function rate(what: string, measure: string, peer: string, bound: number): Target {
  return { what: `new connections, ${what}`, measure, metric: 'perSecond', peer, bound, better: 'more' };
}

export const TARGETS: readonly Target[] = [
  ...throughput('TCP, client to server', UP, 'haproxy', 1.3),
  ...throughput('TCP, server to client', DOWN, 'haproxy', 2),
  ...throughput('MPTCP client to server', MPTCP_UP, 'haproxy', 1.2),
  ...throughput('server to MPTCP client', MPTCP_DOWN, 'haproxy', 3),
  ...throughput('TCP, client to server', UP, 'direct', 0.8),
  ...throughput('TCP, server to client', DOWN, 'direct', 0.8),
  ...throughput('MPTCP client to server', MPTCP_UP, 'direct', 0.6),
  ...throughput('server to MPTCP client', MPTCP_DOWN, 'direct', 0.6),
  ...cpu('TCP, client to server', UP),
  ...cpu('TCP, server to client', DOWN),
  ...cpu('MPTCP client to server', MPTCP_UP),
  ...cpu('server to MPTCP client', MPTCP_DOWN),
  rate('forward', 'connections/forward', 'haproxy', 1.2),
  rate('SOCKS', 'connections/socks', 'microsocks', 3),
  rate('SOCKS', 'connections/socks', 'dante', 3),
  {
    what: 'latency p99 at 50 connections',
    measure: 'latency/forward/50',
    metric: 'p99',
    peer: 'haproxy',
    bound: 1,
    better: 'less',
  },
  delay('set-up', 'setUpP50', 200),
  delay('byte to server', 'upP50', 100),
  delay('byte to client', 'downP50', 100),
  {
    what: 'memory of an idle connection',
    measure: 'memory/forward',
    metric: 'bytes',
    peer: 'haproxy',
    bound: 1.5,
    better: 'less',
  },
];

export function judge(results: Results): Verdict[] {
  return TARGETS.map((target) => {
    const { measure, metric, peer, bound, better } = target;
    const found =
      peer === undefined ? results.spread(measure, 'anabranch', metric) : results.ratio(measure, peer, metric);
    if (found === undefined) return { target, found, verdict: 'unknown' };
    const met = better === 'more' ? found.median >= bound : found.median <= bound;
    return { target, found, verdict: met ? 'met' : 'missed' };
  });
}
