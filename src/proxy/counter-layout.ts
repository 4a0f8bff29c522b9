// What the proxy counts, live, in shared memory.

import type { CounterLayout, Counters } from '../dataplane/counters.ts';
import type { MptcpState } from '../socket/mptcp.ts';
import { FLOW_ENDS } from './flow-record.ts';

/** Gauges: `active` (connections now), `pipes` (open). The rest only grows. */
const NAMES = [
  'active',
  'pipes',
  'accepted',
  'refused', // at accept: a limit, a source that may not connect
  'shortages', // times that accepting paused
  'flows', // relays begun
  'bytesUp',
  'bytesDown',
  'mptcpClients',
  'mptcpServers',
  'fallbacksClient',
  'fallbacksServer',
  'lagMsMax', // longest time that one round kept the others waiting, in the latest second
  'heartbeat', // when the thread last went round, in milliseconds since 1970
] as const;

/** How many flows ended, by why: `end:done` and so on. */
const END_NAMES = FLOW_ENDS.map((end) => `end:${end}` as const);

/** Why a side that could have been MPTCP was not, or did not stay it. */
export const FALLBACK_REASONS = [
  'no-kernel-support',
  'client-without-mptcp',
  'peer-without-mptcp',
  'fell-back',
] as const satisfies readonly MptcpState[];

export type FallbackReason = (typeof FALLBACK_REASONS)[number];

export const SIDES = ['client', 'server'] as const;

/** Sides that fell back, by why: `client:fell-back` and so on. */
const FALLBACK_NAMES = SIDES.flatMap((side) => FALLBACK_REASONS.map((reason) => `${side}:${reason}` as const));

/** What to count for a side that is, or has come to be, like this; undefined: it is no fallback. */
export function fallbackCounter(side: (typeof SIDES)[number], state: MptcpState): CounterName | undefined {
  return state === 'mptcp' || state === 'not-asked' ? undefined : `${side}:${state}`;
}

export type CounterName = (typeof NAMES)[number] | (typeof END_NAMES)[number] | (typeof FALLBACK_NAMES)[number];

export type ProxyCounters = Counters<CounterName>;

export const COUNTER_LAYOUT: CounterLayout<CounterName> = {
  names: [...NAMES, ...END_NAMES, ...FALLBACK_NAMES],
  largest: ['lagMsMax'],
  smallest: ['heartbeat'],
};
