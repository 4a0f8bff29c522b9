// What the proxy counts, live, in shared memory.

import type { CounterLayout, Counters } from '../dataplane/counters.ts';
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

export type CounterName = (typeof NAMES)[number] | (typeof END_NAMES)[number];

export type ProxyCounters = Counters<CounterName>;

export const COUNTER_LAYOUT: CounterLayout<CounterName> = {
  names: [...NAMES, ...END_NAMES],
  largest: ['lagMsMax'],
  smallest: ['heartbeat'],
};
