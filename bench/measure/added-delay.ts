// The proxy's own delay, from packet time stamps: what a client's stop-watch says includes the client.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { quantiles } from '#anabranch/analysis/quantiles.js';
import { Program } from '../host/program.ts';
import { LoadThread } from '../load/load-thread.ts';
import type { Entry } from '../peers/peer.ts';
import { type Measure, type Metric, withLoad, withPeer } from './measure.ts';
import { parseCapture } from './packets.ts';
import { proxyDelays } from './proxy-delays.ts';

/** Short connections before the probes, so that every peer has its code warm, and probes before the capture. */
const CHURN = { connections: 20, ms: 500 } as const;
const WARM_UP = 10;
const CONNECTIONS = 200;
const RUN_MS_MAX = 60_000;
const CAPTURE_START_MS_MAX = 5_000;
/** The kernel hands captured packets over in blocks, a second after a block's first packet at the latest. */
const CAPTURE_LAG_MS = 1_100;
/** Ethernet, IPv4 and TCP headers with all options. */
const SNAP_BYTES = 14 + 60 + 60;

const METRICS: readonly Metric[] = [
  { key: 'setUpP50', title: 'set-up p50 µs', digits: 0 },
  { key: 'setUpP95', title: 'p95', digits: 0 },
  { key: 'upP50', title: 'byte to server p50 µs', digits: 0 },
  { key: 'upP95', title: 'p95', digits: 0 },
  { key: 'downP50', title: 'byte to client p50 µs', digits: 0 },
  { key: 'downP95', title: 'p95', digits: 0 },
];

const TITLES: Readonly<Record<Entry, string>> = {
  forward: "from the client's SYN to the SYN towards the server",
  socks: 'from the SOCKS 5 request to the SYN towards the server',
  http: 'from the CONNECT request to the SYN towards the server',
};

export const ADDED_DELAY: readonly Measure[] = (['forward', 'socks', 'http'] as const).map(addedDelay);

function addedDelay(entry: Entry): Measure {
  const transport = 'tcp';
  return {
    section: 'delay',
    id: `delay/${entry}`,
    title: `Added delay, ${TITLES[entry]}, and of one byte each way`,
    entry,
    transport,
    metrics: METRICS,
    expectedSeconds: () => 5,
    suits: (peer) => peer.name !== 'direct',
    run: async (peer, bench) =>
      await withPeer(peer, { entry, transport }, bench, async (running, targetPort) => {
        const route = { entry, port: running.port, targetPort, mptcp: false };
        const task = { route, role: 'probe', connections: 1 } as const;
        const churn = { route, role: 'churn', connections: CHURN.connections } as const;
        await withLoad(await LoadThread.startClient(churn), () => sleep(CHURN.ms));
        const file = join(bench.directory, 'packets.pcap');
        await withLoad(await LoadThread.startClient(task), async (load) => {
          await load.waitFor('done', WARM_UP, RUN_MS_MAX);
          const capture = await startCapture(file, [running.port, targetPort], bench.directory);
          try {
            await load.waitFor('done', load.counts.get('done') + CONNECTIONS + 2, RUN_MS_MAX);
            await sleep(CAPTURE_LAG_MS);
          } finally {
            await capture.stop('SIGINT');
          }
          if (load.counts.get('failed') > 0) throw new Error(`a connection broke off: ${load.failure}`);
        });
        const delays = proxyDelays(parseCapture(readFileSync(file)), running.port, targetPort, entry !== 'forward');
        const least = Math.min(delays.setUp.length, delays.up.length, delays.down.length);
        if (least < CONNECTIONS) throw new Error(`only ${least} of ${CONNECTIONS} connections were captured whole`);
        const [setUpP50, setUpP95] = quantiles(delays.setUp, [0.5, 0.95]) as [number, number];
        const [upP50, upP95] = quantiles(delays.up, [0.5, 0.95]) as [number, number];
        const [downP50, downP95] = quantiles(delays.down, [0.5, 0.95]) as [number, number];
        return { setUpP50, setUpP95, upP50, upP95, downP50, downP95 };
      }),
  };
}

/** Captures the headers of what goes to or from the ports on loopback, stamped in nanoseconds. */
async function startCapture(file: string, ports: readonly number[], directory: string): Promise<Program> {
  const what = `tcp and (${ports.map((port) => `port ${port}`).join(' or ')})`;
  const options = ['-i', 'lo', '-n', '-p', '-U', '-s', String(SNAP_BYTES), '--time-stamp-precision=nano'];
  const capture = new Program('tcpdump', [...options, '-Z', 'root', '-w', file, what], { cwd: directory });
  const until = performance.now() + CAPTURE_START_MS_MAX;
  while (!capture.said.includes('listening on')) {
    if (!capture.alive || performance.now() > until) {
      capture.kill();
      throw new Error(`tcpdump does not capture: ${capture.said.trim()}`);
    }
    await sleep(10);
  }
  return capture;
}
