// How long a small question and its answer take on standing connections, all of them asking at once.

import { setTimeout as sleep } from 'node:timers/promises';
import { quantiles } from '#anabranch/analysis/quantiles.js';
import { LoadThread } from '../load/load-thread.ts';
import type { Entry } from '../peers/peer.ts';
import { type Measure, type Metric, warmUpSeconds, withLoad, withPeer } from './measure.ts';

const OPEN_MS_MAX = 15_000;
/** More than any peer answers in a window of ten seconds here. */
const SAMPLES_MAX = 1 << 21;

const METRICS: readonly Metric[] = [
  { key: 'p50', title: 'p50 µs', digits: 0 },
  { key: 'p99', title: 'p99 µs', digits: 0 },
  { key: 'perSecond', title: 'answers/s', digits: 0 },
];

export const LATENCY: readonly Measure[] = [
  ...[1, 50, 500].map((count) => latency('forward', count)),
  // Once the handshake is over all entries are alike: a sample of the others' own peers is enough.
  latency('socks', 50),
  latency('http', 50),
];

function latency(entry: Entry, connections: number): Measure {
  const transport = 'tcp';
  const through = { forward: '', socks: ', through SOCKS 5', http: ', through HTTP CONNECT' }[entry];
  return {
    section: 'latency',
    id: `latency/${entry}/${connections}`,
    title: `Request to answer, ${connections === 1 ? 'one connection' : `${connections} connections`}${through}`,
    entry,
    transport,
    metrics: METRICS,
    expectedSeconds: (seconds) => seconds + warmUpSeconds(seconds) + 1,
    suits: () => true,
    run: async (peer, bench) =>
      await withPeer(peer, { entry, transport }, bench, async (running, targetPort) => {
        const { seconds } = bench;
        const route = { entry, port: running.port, targetPort, mptcp: false };
        const task = { route, role: 'ask', connections } as const;
        return await withLoad(await LoadThread.startClient(task, SAMPLES_MAX), async (load) => {
          await load.waitFor('opened', connections, OPEN_MS_MAX);
          await sleep(warmUpSeconds(seconds) * 1000);
          const began = performance.now();
          load.tell('record', 1);
          await sleep(seconds * 1000);
          load.tell('record', 0);
          const took = (performance.now() - began) / 1000;
          if (load.counts.get('failed') > 0) throw new Error(`a connection broke off: ${load.failure}`);
          const [p50, p99] = quantiles(load.counts.samples(), [0.5, 0.99]) as [number, number];
          return { p50, p99, perSecond: load.counts.get('done') / took };
        });
      }),
  };
}
