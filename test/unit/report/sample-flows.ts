// Flows as a busy proxy with two paths would log them; everything follows from the seed. As a program it prints them as
// JSON lines: `node build/test/unit/report/sample-flows.js 20000 > flows.jsonl`.

import { pathToFileURL } from 'node:url';
import type { FlowEntry, SubflowEntry } from '#anabranch/flowlog/entry.js';

export const START_MS = Date.UTC(2026, 4, 1, 8);
const SPAN_MS = 6 * 3_600_000;
const WIFI = '192.0.2.10';
const CELLULAR = '198.51.100.20';
const HOSTS = [
  ['www.example.org', 40],
  ['api.example.com', 30],
  ['cdn.example.net', 18],
  ['video.example.tv', 5],
  ['mirror.example.edu', 3],
  ['mail.example.org', 3],
  ['2001:db8:77::19', 1],
] as const;

/** mulberry32: small, and the same everywhere. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function* sampleFlows(count: number, seed = 1): Generator<FlowEntry> {
  const random = randomOf(seed);
  for (let n = 0; n < count; n++) yield sampleFlow(n, count, random);
}

function sampleFlow(n: number, count: number, random: () => number): FlowEntry {
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const acceptedAt = START_MS + Math.floor((n / count) * SPAN_MS + random() * 5_000);
  const host = pick(random());
  // The download that survived: a hundred megabytes over both paths, of which one went away.
  const isSurvivor = n === Math.floor(count / 2);
  const isVideo = host === 'video.example.tv' || host === 'mirror.example.edu';
  const lasted = isSurvivor ? 1_850_000 : Math.exp((isVideo ? 10.5 : 6.2) + (isVideo ? 1.2 : 1.7) * normal());
  const durationMs = Math.max(3, Math.round(lasted));
  const bytesDown = isSurvivor ? 1e9 : Math.round(Math.exp((isVideo ? 15.5 : 9) + (isVideo ? 1.3 : 1.9) * normal()));
  const bytesUp = Math.round(300 + bytesDown * 0.03 * random());
  const failed = !isSurvivor && random() < 0.03;
  const pooled = isSurvivor || (random() < 0.55 && bytesDown > 20_000);
  const fellBack = !pooled && random() < 0.15;
  const total = failed ? 0 : bytesUp + bytesDown;
  const share = pooled ? 0.55 + 0.2 * random() : 1;
  const subflows = [
    subflow(1, WIFI, total * share, 18 + 6 * random(), isSurvivor),
    ...(pooled ? [subflow(2, CELLULAR, total * (1 - share), 55 + 40 * random(), false)] : []),
  ];
  return {
    id: `01J${String(n).padStart(10, '0')}`,
    inbound: random() < 0.9 ? 'socks' : 'http',
    client: { address: `10.0.0.${1 + Math.floor(random() * 40)}`, port: 1_024 + (n % 60_000) },
    user: random() < 0.3 ? 'alice' : undefined,
    asked: { host: isSurvivor ? 'mirror.example.edu' : host, port: 443 },
    reached: failed ? undefined : { address: '203.0.113.5', port: 1080 },
    outbound: 'gateway',
    acceptedAt,
    requestedAt: acceptedAt + 1,
    connectedAt: failed ? undefined : acceptedAt + 1 + Math.round(Math.exp(3.6 + 0.5 * normal())),
    firstByteUpAt: failed ? undefined : acceptedAt + 40,
    firstByteDownAt: failed ? undefined : acceptedAt + 90,
    endedAt: acceptedAt + durationMs,
    bytesUp: failed ? 0 : bytesUp,
    bytesDown: failed ? 0 : bytesDown,
    longestStallMs: isSurvivor ? 820 : Math.round(Math.min(durationMs, Math.exp(3.5 + 1.6 * normal()))),
    end: failed ? (random() < 0.5 ? 'timed-out' : 'refused') : random() < 0.04 ? 'server-reset' : 'done',
    detail: undefined,
    clientSide: { mptcp: 'client-without-mptcp', subflows: [subflow(0, '127.0.0.1', total, 0.1, false)] },
    serverSide: failed ? undefined : { mptcp: fellBack ? 'peer-without-mptcp' : 'mptcp', subflows },
  };
}

function subflow(id: number, address: string, bytes: number, rttMs: number, closed: boolean): SubflowEntry {
  return {
    id,
    local: { address, port: 40_000 + id },
    remote: { address: '203.0.113.5', port: 1080 },
    bytesSent: Math.round(bytes * 0.03),
    bytesReceived: Math.round(bytes * 0.97),
    rttMs,
    retransmits: Math.round(bytes / 2e6),
    congestionWindow: 10,
    backup: false,
    closed,
  };
}

function pick(at: number): string {
  let left = at * 100;
  for (const [host, weight] of HOSTS) {
    left -= weight;
    if (left < 0) return host;
  }
  return HOSTS[0][0];
}

const [, program, count] = process.argv;
if (program !== undefined && import.meta.url === pathToFileURL(program).href) {
  for (const flow of sampleFlows(Number(count ?? 20_000))) process.stdout.write(`${JSON.stringify(flow)}\n`);
}
