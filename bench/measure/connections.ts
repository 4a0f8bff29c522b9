// New connections a second, each with one small request and one small answer, and what one costs the proxy.

import { setTimeout as sleep } from 'node:timers/promises';
import { LoadThread } from '../load/load-thread.ts';
import type { Entry } from '../peers/peer.ts';
import { type Measure, type Metric, requireFewFailures, warmUpSeconds, withLoad, withPeer } from './measure.ts';

/** Under way at the same time. */
const CONCURRENT = 50;
const FIRST_MS_MAX = 10_000;

const METRICS: readonly Metric[] = [
  { key: 'perSecond', title: 'connections/s', digits: 0 },
  { key: 'cpuMicroseconds', title: 'CPU µs each', digits: 1 },
];

const TITLES: Readonly<Record<Entry, string>> = {
  forward: 'without a handshake',
  socks: 'with the SOCKS 5 handshake',
  http: 'with HTTP CONNECT',
};

export const CONNECTIONS: readonly Measure[] = (['forward', 'socks', 'http'] as const).map(connections);

function connections(entry: Entry): Measure {
  const transport = 'tcp';
  return {
    section: 'connections',
    id: `connections/${entry}`,
    title: `New connections, ${CONCURRENT} at a time, ${TITLES[entry]}`,
    entry,
    transport,
    metrics: METRICS,
    expectedSeconds: (seconds) => seconds + 2 * warmUpSeconds(seconds) + 0.8,
    suits: () => true,
    run: async (peer, bench) =>
      await withPeer(peer, { entry, transport }, bench, async (running, targetPort) => {
        const { seconds } = bench;
        const route = { entry, port: running.port, targetPort, mptcp: false };
        const task = { route, role: 'churn', connections: CONCURRENT } as const;
        return await withLoad(await LoadThread.startClient(task), async (load) => {
          await load.waitFor('done', 1, FIRST_MS_MAX);
          // Twice as long as elsewhere: it is the code of each connection's beginning and end that has to warm up.
          await sleep(2 * warmUpSeconds(seconds) * 1000);
          const before = { at: performance.now(), done: load.counts.get('done'), cpu: running.cpuSeconds() };
          await sleep(seconds * 1000);
          const done = load.counts.get('done') - before.done;
          const took = (performance.now() - before.at) / 1000;
          const cpu = running.cpuSeconds() - before.cpu;
          requireFewFailures(load, done);
          return { perSecond: done / took, cpuMicroseconds: (cpu / done) * 1e6 };
        });
      }),
  };
}
