// Every measurement, in the order of the report.

import { ADDED_DELAY } from './added-delay.ts';
import { CONNECTIONS } from './connections.ts';
import { IDLE_MEMORY } from './idle-memory.ts';
import { IPERF } from './iperf.ts';
import { LATENCY } from './latency.ts';
import type { Measure } from './measure.ts';
import { THROUGHPUT } from './throughput.ts';

export const MEASURES: readonly Measure[] = [
  ...THROUGHPUT,
  ...IPERF,
  ...CONNECTIONS,
  ...LATENCY,
  ...ADDED_DELAY,
  ...IDLE_MEMORY,
];
