// What a connection without traffic holds of the proxy's own memory. The kernel's part (sockets) is the same for all.

import { setTimeout as sleep } from 'node:timers/promises';
import { LoadThread } from '../load/load-thread.ts';
import type { Entry } from '../peers/peer.ts';
import { type Measure, type Metric, withLoad, withPeer } from './measure.ts';

const CONNECTIONS = 4_000;
const OPEN_MS_MAX = 60_000;
/** After the start and after the last connection, before memory is read. */
const SETTLE_MS = 1_500;

const METRICS: readonly Metric[] = [
  { key: 'bytes', title: 'bytes each', digits: 0 },
  { key: 'descriptors', title: 'descriptors each', digits: 2 },
  { key: 'megabytesEmpty', title: 'MB with none', digits: 1 },
];

export const IDLE_MEMORY: readonly Measure[] = (['forward', 'socks', 'http'] as const).map(idleMemory);

function idleMemory(entry: Entry): Measure {
  const transport = 'tcp';
  const through = { forward: '', socks: ', through SOCKS 5', http: ', through HTTP CONNECT' }[entry];
  return {
    section: 'memory',
    id: `memory/${entry}`,
    title: `Memory of an idle connection, ${CONNECTIONS} of them${through}`,
    entry,
    transport,
    metrics: METRICS,
    expectedSeconds: () => 6,
    suits: (peer) => peer.name !== 'direct',
    run: async (peer, bench) =>
      await withPeer(peer, { entry, transport }, bench, async (running, targetPort) => {
        const route = { entry, port: running.port, targetPort, mptcp: false };
        await sleep(SETTLE_MS);
        const before = { bytes: running.memoryBytes(), descriptors: running.descriptorCount() };
        const task = { route, role: 'hold', connections: 0 } as const;
        return await withLoad(await LoadThread.startClient(task), async (load) => {
          load.tell('wanted', CONNECTIONS);
          await load.waitFor('opened', CONNECTIONS, OPEN_MS_MAX);
          await sleep(SETTLE_MS);
          if (load.counts.get('failed') > 0) throw new Error(`a connection broke off: ${load.failure}`);
          return {
            bytes: (running.memoryBytes() - before.bytes) / CONNECTIONS,
            descriptors: (running.descriptorCount() - before.descriptors) / CONNECTIONS,
            megabytesEmpty: before.bytes / 1e6,
          };
        });
      }),
  };
}
