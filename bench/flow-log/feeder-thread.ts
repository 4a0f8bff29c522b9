// Posts records of flows at a steady rate, in batches as a data-plane thread does.

import { parentPort, workerData } from 'node:worker_threads';
import type { FlowEntry } from '#anabranch/flowlog/entry.js';

const BATCH_MOST = 256;
const TICK_MS = 10;
const VARIANTS = 2_048;
const { run } = workerData as { run: string };

const subflow = (id: number) => ({
  id,
  local: { address: `192.0.2.${1 + (id % 2)}`, port: 40_000 + id },
  remote: { address: '198.51.100.7', port: 443 },
  bytesSent: 1_234 * id,
  bytesReceived: 98_765 * id,
  rttMs: 12.375 * id,
  retransmits: id,
  congestionWindow: 10,
  backup: false,
  closed: false,
});

/** One subflow on the client's side, two on the server's. */
const variants = Array.from({ length: VARIANTS }, (_, n) => ({
  inbound: 'mixed',
  client: { address: `10.0.${n >> 8}.${n & 255}`, port: 1024 + n },
  asked: { host: `host-${n % 300}.example.net`, port: 443 },
  reached: { address: '198.51.100.7', port: 443 },
  outbound: 'direct',
  bytesUp: 500 + n,
  bytesDown: 100_000 + n,
  longestStallMs: n % 50,
  end: n % 20 === 0 ? 'server-reset' : 'done',
  clientSide: { mptcp: 'client-without-mptcp', subflows: [subflow(1)] },
  serverSide: { mptcp: 'mptcp', subflows: [subflow(1), subflow(2)] },
}));

let made = 0;
let rate = 0;
let since = 0;
let due = 0;

function record(): FlowEntry {
  const endedAt = Date.now();
  const acceptedAt = endedAt - 100 - (made % 5_000);
  const times = { acceptedAt, requestedAt: acceptedAt + 2, connectedAt: acceptedAt + 20, endedAt };
  const id = `${run}-${(made++).toString(36)}`;
  return { ...(variants[made % VARIANTS] as (typeof variants)[number]), ...times, id };
}

parentPort?.on('message', (perSecond: number) => {
  rate = perSecond;
  since = performance.now();
  due = 0;
});

setInterval(() => {
  const wanted = ((performance.now() - since) / 1000) * rate;
  // What was held up for longer than a second is not made up for: that would be a burst, and not a rate.
  due = Math.max(due, wanted - rate);
  while (due < wanted) {
    const batch = Array.from({ length: Math.min(BATCH_MOST, Math.ceil(wanted - due)) }, record);
    due += batch.length;
    parentPort?.postMessage(batch);
  }
}, TICK_MS);
