// Throughput by a load that is not ours: iperf3 as client and as server, through the same forward. Its connections, the
// one that controls and the one that carries, both go through the proxy.

import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, waitListening } from '../host/ports.ts';
import { Program } from '../host/program.ts';
import { type Peer, RunningPeer, type Transport } from '../peers/peer.ts';
import { type Bench, type Measure, type Metric, type Readings, requireBytes } from './measure.ts';

const METRICS: readonly Metric[] = [
  { key: 'gigabits', title: 'Gbit/s', digits: 2 },
  { key: 'cpuPerGigabyte', title: 'CPU s/GB', digits: 3 },
];
const LISTEN_MS_MAX = 5_000;
const MARGIN_MS = 10_000;
const SETTLE_MS = 500;

export const IPERF: readonly Measure[] = (['tcp', 'mptcp-client'] as const).flatMap((transport) => [
  iperf(transport, 'up'),
  iperf(transport, 'down'),
]);

function iperf(transport: Transport, direction: 'up' | 'down'): Measure {
  const client = transport === 'tcp' ? 'TCP' : 'MPTCP';
  return {
    section: 'iperf',
    id: `iperf/${transport}/${direction}`,
    title: `iperf3, ${client} ${direction === 'up' ? '→' : '←'} TCP, one stream`,
    entry: 'forward',
    transport,
    metrics: METRICS,
    expectedSeconds: (seconds) => Math.ceil(seconds) + 1.5,
    suits: (peer) => transport === 'tcp' || peer.mptcp,
    run: (peer, bench) => run(peer, bench, transport, direction),
  };
}

async function run(peer: Peer, bench: Bench, transport: Transport, direction: 'up' | 'down'): Promise<Readings> {
  const cwd = bench.directory;
  const mptcp = transport === 'mptcp-client';
  const port = freePort();
  // The server speaks MPTCP only where nothing stands between the two.
  const server = new Program('iperf3', ['-s', '-B', '127.0.0.1', '-p', String(port)], {
    cwd,
    mptcp: mptcp && peer.name === 'direct',
  });
  let running: RunningPeer | undefined;
  try {
    await waitListening(port, LISTEN_MS_MAX, () => server.alive);
    running = await RunningPeer.start(peer, 'forward', transport, port, cwd);
    // What a program still does after it began to listen is not part of the load.
    await sleep(SETTLE_MS);
    const cpu = running.cpuSeconds();
    const time = ['-t', String(Math.ceil(bench.seconds)), '-i', '0', '-f', 'm'];
    const args = ['-c', '127.0.0.1', '-p', String(running.port), ...time];
    const client = new Program('iperf3', direction === 'up' ? args : [...args, '-R'], { cwd, mptcp });
    await client.ended(bench.seconds * 1000 + MARGIN_MS);
    // The outputs may trail the exit.
    await sleep(50);
    // [  5]   0.00-4.00   sec  8.20 GBytes  17608 Mbits/sec                  receiver
    const sum = /-([\d.]+) +sec .* ([\d.]+) Mbits\/sec +receiver/.exec(client.said);
    if (client.exitCode !== 0 || sum === null) throw new Error(`iperf3: ${client.said.trim().slice(-300)}`);
    running.requireAlive();
    const [seconds, megabits] = [Number(sum[1]), Number(sum[2])];
    requireBytes(seconds * megabits);
    const gigabytes = (seconds * megabits) / 8 / 1000;
    return { gigabits: megabits / 1000, cpuPerGigabyte: (running.cpuSeconds() - cpu) / gigabytes };
  } finally {
    await running?.stop();
    await server.stop();
  }
}
