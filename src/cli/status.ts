// `anabranch status`: live connections with their subflows.

import { type Command, InvalidArgumentError } from 'commander';
import type { SideRecord, SubflowRecord } from '../proxy/flow-record.ts';
import type { FlowStatus } from '../proxy/flow-status.ts';
import { formatHostPort } from '../wire/destination.ts';
import { askAdmin, defaultAdminPath } from './admin-client.ts';
import { formatBytes } from './quantities.ts';

interface Status {
  readonly version: string;
  readonly pid: number;
  readonly inbounds: readonly {
    readonly inbound: string;
    readonly type: string;
    readonly local: { readonly address: string; readonly port: number };
    readonly isMptcp: boolean;
  }[];
  readonly counters: Readonly<Record<string, number>>;
}

export function register(program: Command): void {
  program
    .command('status')
    .summary('show live connections, their subflows and the counters')
    .description(
      'Shows the inbounds of a running anabranch, what it has carried, and its live connections with every subflow.',
    )
    .option('--admin <path>', 'admin socket of the running anabranch', defaultAdminPath())
    .option('--most <n>', 'connections shown at the most', parseMost, 50)
    .option('--json', 'print everything as JSON')
    .addHelpText('after', '\nExamples:\n  anabranch status\n  anabranch status --json | jq .flows[].serverSide.mptcp\n')
    .action(async (options: { admin: string; most: number; json?: true }) => {
      const status = (await askAdmin(options.admin, 'GET', '/status')) as Status;
      const { flows } = (await askAdmin(options.admin, 'GET', `/flows?most=${options.most}`)) as {
        flows: FlowStatus[];
      };
      process.stdout.write(options.json ? `${JSON.stringify({ ...status, flows })}\n` : render(status, flows));
    });
}

function parseMost(text: string): number {
  const most = Number(text);
  if (!Number.isInteger(most) || most < 1 || most > 10_000)
    throw new InvalidArgumentError('a whole number, 1 to 10000');
  return most;
}

function render(status: Status, flows: readonly FlowStatus[]): string {
  const { counters } = status;
  const lines = [`anabranch ${status.version}, process ${status.pid}`];
  for (const { inbound, type, local, isMptcp } of status.inbounds) {
    const where = formatHostPort(local.address, local.port);
    lines.push(`  ${inbound} (${type}) listens on ${where}, ${isMptcp ? 'MPTCP and TCP' : 'TCP'}`);
  }
  lines.push(
    `  ${counters.active} connections now, ${counters.accepted} accepted, ${counters.refused} refused, ` +
      `${formatBytes(counters.bytesUp)} up, ${formatBytes(counters.bytesDown)} down`,
    '',
  );
  for (const flow of flows) lines.push(...renderFlow(flow));
  if (flows.length < (counters.active ?? 0)) lines.push(`… and ${(counters.active ?? 0) - flows.length} more`);
  return `${lines.join('\n')}\n`;
}

function renderFlow(flow: FlowStatus): string[] {
  const { client, asked, reached } = flow;
  const to = asked === undefined ? '?' : formatHostPort(asked.host, asked.port);
  const at = reached === undefined || reached.address === asked?.host ? '' : ` at ${reached.address}`;
  const through = flow.outbound === undefined ? '' : ` through ${flow.outbound}`;
  const user = flow.user === undefined ? '' : ` (${flow.user})`;
  const head =
    `${formatHostPort(client.address, client.port)}${user} → ${to}${at}${through}: ${flow.phase}, ` +
    `${formatBytes(flow.bytesUp)} up, ${formatBytes(flow.bytesDown)} down, idle ${(flow.idleMs / 1000).toFixed(1)} s`;
  return [head, ...renderSide('client', flow.clientSide), ...renderSide('server', flow.serverSide)];
}

function renderSide(name: string, side: SideRecord | undefined): string[] {
  if (side === undefined) return [];
  const how = side.mptcp === 'mptcp' ? 'MPTCP' : `TCP (${side.mptcp})`;
  const { congestion } = side;
  const chosen = congestion === undefined ? '' : `, ${congestion.name}: ${congestion.why}`;
  const buffer = side.sendBuffer === undefined ? '' : `, send buffer ${formatBytes(side.sendBuffer)}`;
  return [`    ${name} side: ${how}${chosen}${buffer}`, ...side.subflows.map(renderSubflow)];
}

function renderSubflow(subflow: SubflowRecord): string {
  const { local, remote, rttMs, retransmits, congestionWindow } = subflow;
  const marks = `${subflow.backup === true ? ', backup' : ''}${subflow.closed ? ', closed' : ''}`;
  return (
    `      ${formatHostPort(local.address, local.port)} – ${formatHostPort(remote.address, remote.port)}: ` +
    `${formatBytes(subflow.bytesSent)} out, ${formatBytes(subflow.bytesReceived)} in, RTT ${rttMs.toFixed(1)} ms, ` +
    `${retransmits} retransmitted, window ${congestionWindow}${marks}`
  );
}
