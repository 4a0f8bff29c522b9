// Flows as the proxy would write them, and a log to write them to.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FlowEntry, SubflowEntry } from '#anabranch/flowlog/entry.js';
import { FlowLog, type FlowLogOptions } from '#anabranch/flowlog/flow-log.js';
import { until } from './support/wait.ts';

export const DAY_MS = 86_400_000;
const HOSTS = ['example.org', 'mirror.example.net', '2001:db8::7', 'cdn.example.com'];

export function subflow(id: number, changes: Partial<SubflowEntry> = {}): SubflowEntry {
  return {
    id,
    local: { address: `192.0.2.${1 + (id % 2)}`, port: 40_000 + id },
    remote: { address: '198.51.100.7', port: 443 },
    bytesSent: 1_000 * id,
    bytesReceived: 90_000 * id,
    rttMs: 12.5 * id,
    retransmits: id,
    congestionWindow: 10,
    backup: undefined,
    closed: false,
    ...changes,
  };
}

/** The n-th flow: everything about it follows from n. */
export function flow(n: number, changes: Partial<FlowEntry> = {}): FlowEntry {
  const acceptedAt = changes.acceptedAt ?? Date.now() - 60_000 + n;
  return {
    id: `flow-${n}`,
    inbound: 'mixed',
    client: { address: `10.0.${(n >> 8) & 255}.${n & 255}`, port: 1024 + (n % 60_000) },
    user: n % 3 === 0 ? 'alice' : undefined,
    asked: { host: HOSTS[n % HOSTS.length] as string, port: 443 },
    reached: { address: '198.51.100.7', port: 443 },
    outbound: 'direct',
    acceptedAt,
    requestedAt: acceptedAt + 2,
    connectedAt: acceptedAt + 20,
    firstByteUpAt: acceptedAt + 21,
    firstByteDownAt: acceptedAt + 40,
    endedAt: acceptedAt + 100 + (n % 1_000),
    bytesUp: 500 + n,
    bytesDown: 100_000 + n,
    longestStallMs: n % 50,
    end: n % 10 === 0 ? 'server-reset' : 'done',
    detail: undefined,
    clientSide: { mptcp: 'peer-plain', subflows: [subflow(1)] },
    serverSide: {
      mptcp: 'mptcp',
      subflows: [subflow(1), subflow(2)],
      congestion: { name: 'bbr', why: '1 % lost' },
    },
    ...changes,
  };
}

export interface Notice {
  readonly level: string;
  readonly code: string;
  readonly message: string;
}

/** A directory of its own, which goes with this process. */
export function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'anabranch-flowlog-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export async function openLog(
  directory: string,
  target: FlowLogOptions['target'],
  changes: Partial<FlowLogOptions> = {},
): Promise<{ log: FlowLog; notices: Notice[] }> {
  const notices: Notice[] = [];
  const log = await FlowLog.open({
    target,
    spoolDirectory: join(directory, 'spool'),
    spoolBytesMax: 256 << 20,
    retentionMs: 30 * DAY_MS,
    gateway: 'gw1',
    retryMsMax: 1_000,
    onNotice: (level, code, message) => notices.push({ level, code, message }),
    ...changes,
  });
  return { log, notices };
}

/** On a busy machine a database may take longer to begin than a log waits for it at its end. */
export async function closeStored(log: FlowLog): Promise<void> {
  const left = (): number => {
    const { taken, stored, expired, rejected, lost } = log.status();
    return taken - stored - expired - rejected - lost;
  };
  await until(
    () => left() === 0,
    () => 'all that was taken is stored',
    120_000,
  );
  await log.close();
}
