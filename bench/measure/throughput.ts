// Bytes a second through standing connections, and what they cost the proxy.

import { setTimeout as sleep } from 'node:timers/promises';
import { LoadThread } from '../load/load-thread.ts';
import type { Entry, Peer, Transport } from '../peers/peer.ts';
import {
  type Bench,
  type Measure,
  type Metric,
  type Readings,
  requireBytes,
  warmUpSeconds,
  withLoad,
  withPeer,
} from './measure.ts';

type Direction = 'up' | 'down';

const METRICS: readonly Metric[] = [
  { key: 'gigabits', title: 'Gbit/s', digits: 2 },
  { key: 'cpuPerGigabyte', title: 'CPU s/GB', digits: 3 },
];

const OPEN_MS_MAX = 10_000;
const PATHS: Readonly<Record<Transport, Readonly<Record<Direction, string>>>> = {
  tcp: { up: 'TCP → TCP', down: 'TCP ← TCP' },
  'mptcp-client': { up: 'MPTCP → TCP', down: 'MPTCP ← TCP' },
  'mptcp-server': { up: 'TCP → MPTCP', down: 'TCP ← MPTCP' },
};

export const THROUGHPUT: readonly Measure[] = [
  ...(['tcp', 'mptcp-client', 'mptcp-server'] as const).flatMap((transport) =>
    [1, 32].flatMap((streams) => [
      throughput('forward', transport, 'up', streams),
      throughput('forward', transport, 'down', streams),
    ]),
  ),
  ...(['socks', 'http'] as const).flatMap((entry) => [
    throughput(entry, 'tcp', 'up', 1),
    throughput(entry, 'tcp', 'down', 1),
  ]),
];

function throughput(entry: Entry, transport: Transport, direction: Direction, streams: number): Measure {
  const how = direction === 'up' ? 'client to server' : 'server to client';
  const many = streams === 1 ? 'one stream' : `${streams} streams`;
  const through = entry === 'forward' ? '' : `, through ${entry === 'socks' ? 'SOCKS 5' : 'HTTP CONNECT'}`;
  return {
    section: 'throughput',
    id: `throughput/${entry}/${transport}/${direction}/${streams}`,
    title: `Throughput, ${PATHS[transport][direction]}, ${many}, ${how}${through}`,
    entry,
    transport,
    metrics: METRICS,
    expectedSeconds: (seconds) => seconds + warmUpSeconds(seconds) + 0.8,
    suits: (peer) => transport === 'tcp' || peer.mptcp,
    run: (peer, bench) => run(peer, bench, entry, transport, direction, streams),
  };
}

async function run(
  peer: Peer,
  bench: Bench,
  entry: Entry,
  transport: Transport,
  direction: Direction,
  streams: number,
): Promise<Readings> {
  return await withPeer(peer, { entry, transport }, bench, async (running, targetPort) => {
    const { server, seconds } = bench;
    const mptcp = transport === 'mptcp-client' || (transport === 'mptcp-server' && peer.name === 'direct');
    const route = { entry, port: running.port, targetPort, mptcp };
    const accepted = server.counts.get('mptcp');
    const role = direction === 'up' ? 'upload' : 'download';
    return await withLoad(await LoadThread.startClient({ route, role, connections: streams }), async (load) => {
      await load.waitFor('opened', streams, OPEN_MS_MAX);
      await sleep(warmUpSeconds(seconds) * 1000);
      if (mptcp) requireMptcp(load.counts.get('mptcp'), streams, 'client');
      if (transport === 'mptcp-server') requireMptcp(server.counts.get('mptcp') - accepted, streams, 'server');
      const sink = direction === 'up' ? server.counts : load.counts;
      const before = { at: performance.now(), bytes: sink.get('bytes'), cpu: running.cpuSeconds() };
      await sleep(seconds * 1000);
      const bytes = sink.get('bytes') - before.bytes;
      const took = (performance.now() - before.at) / 1000;
      const cpu = running.cpuSeconds() - before.cpu;
      requireBytes(bytes);
      if (load.counts.get('failed') > 0) throw new Error(`a stream broke off: ${load.failure}`);
      return { gigabits: (bytes * 8) / took / 1e9, cpuPerGigabyte: cpu / (bytes / 1e9) };
    });
  });
}

function requireMptcp(found: number, streams: number, side: string): void {
  if (found < streams) throw new Error(`only ${found} of ${streams} connections speak MPTCP on the ${side}'s side`);
}
