// One line of a JSON-lines log ⇄ a flow. Lines may come from another version, or from a crash in the middle of one:
// only what a report cannot do without must be right.

import { z } from 'zod';
import { formatHostPort } from '../wire/destination.ts';
import { type FlowDetail, milestonesOf, type Subflow } from './flow-detail.ts';
import type { ReportFlow } from './report.ts';

const count = z.number().min(0).catch(0);
const text = z.string().optional().catch(undefined);
const moment = z.number().optional().catch(undefined);
const endpoint = z.object({ address: z.string(), port: z.number() }).optional().catch(undefined);
const side = z
  .object({
    mptcp: z.string(),
    subflows: z
      .array(
        z.object({
          local: endpoint,
          remote: endpoint,
          bytesSent: count,
          bytesReceived: count,
          rttMs: z.number().optional().catch(undefined),
          retransmits: count,
          backup: z.boolean().optional().catch(undefined),
          closed: z.boolean().catch(false),
        }),
      )
      .max(1_024)
      .catch([]),
  })
  .optional()
  .catch(undefined);
/** 1970 to 9999, in milliseconds. */
const time = z.number().min(0).max(253_402_300_799_999);
const line = z.object({
  id: z.string(),
  inbound: z.string().catch(''),
  client: endpoint,
  user: text,
  asked: z.object({ host: z.string(), port: z.number() }).optional().catch(undefined),
  outbound: text,
  acceptedAt: time,
  requestedAt: moment,
  connectedAt: moment,
  firstByteUpAt: moment,
  firstByteDownAt: moment,
  endedAt: time,
  bytesUp: z.number().min(0),
  bytesDown: z.number().min(0),
  longestStallMs: count,
  end: z.string(),
  clientSide: side,
  serverSide: side,
});
export type FlowLine = z.output<typeof line>;
type Side = NonNullable<FlowLine['clientSide']>;
type SubflowLine = Side['subflows'][number];

/** Undefined for what is no flow. */
export function parseFlowLine(textOfLine: string): FlowLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(textOfLine);
  } catch {
    return undefined;
  }
  const parsed = line.safeParse(value);
  return parsed.success && parsed.data.endedAt >= parsed.data.acceptedAt ? parsed.data : undefined;
}

export function flowOfLine(flow: FlowLine): ReportFlow {
  // Written out, for this is done a million times, and a spread takes ten times as long.
  return {
    id: flow.id,
    // Whole milliseconds, as in a database.
    startedAt: Math.floor(flow.acceptedAt),
    endedAt: Math.floor(flow.endedAt),
    durationMs: Math.round(flow.endedAt - flow.acceptedAt),
    inbound: flow.inbound,
    outbound: flow.outbound,
    client: flow.client?.address,
    user: flow.user,
    destinationHost: flow.asked?.host,
    destinationPort: flow.asked?.port,
    bytesUp: flow.bytesUp,
    bytesDown: flow.bytesDown,
    longestStallMs: flow.longestStallMs,
    end: flow.end,
    clientMptcp: flow.clientSide?.mptcp,
    serverMptcp: flow.serverSide?.mptcp,
    clientSubflows: workingOf(flow.clientSide),
    serverSubflows: workingOf(flow.serverSide),
  };
}

function workingOf(from: Side | undefined): number {
  let working = 0;
  for (const subflow of from?.subflows ?? []) if (hasCarried(subflow)) working++;
  return working;
}

export function hasCarried({ bytesSent, bytesReceived }: SubflowLine): boolean {
  return bytesSent + bytesReceived > 0;
}

/** As the database's pathStepsOfFlows sees them. */
export function pathsOfLine({
  clientSide,
  serverSide,
}: FlowLine): { path: string | undefined; subflow: SubflowLine }[] {
  const server = serverSide?.mptcp === 'mptcp' || clientSide?.mptcp !== 'mptcp';
  const subflows = (server ? serverSide : clientSide)?.subflows ?? [];
  return subflows
    .filter(hasCarried)
    .map((subflow) => ({ path: (server ? subflow.local : subflow.remote)?.address, subflow }));
}

export function detailOfLine(flow: FlowLine): FlowDetail {
  const since = (at: number | undefined) =>
    at === undefined ? undefined : Math.max(0, Math.round(at - flow.acceptedAt));
  return {
    flow: flowOfLine(flow),
    milestones: milestonesOf({
      requestedMs: since(flow.requestedAt),
      connectedMs: since(flow.connectedAt),
      firstByteUpMs: since(flow.firstByteUpAt),
      firstByteDownMs: since(flow.firstByteDownAt),
    }),
    subflows: [...subflowsOf('client', flow.clientSide), ...subflowsOf('server', flow.serverSide)],
    events: [],
  };
}

function subflowsOf(name: 'client' | 'server', from: Side | undefined): Subflow[] {
  return (from?.subflows ?? []).map(
    ({ local, remote, bytesSent, bytesReceived, rttMs, retransmits, backup, closed }) => ({
      side: name,
      local: local === undefined ? '?' : formatHostPort(local.address, local.port),
      remote: remote === undefined ? '?' : formatHostPort(remote.address, remote.port),
      addresses: [local?.address, remote?.address].filter((address) => address !== undefined),
      ...{ bytesSent, bytesReceived, rttMs, retransmits, closed },
      backup: backup === true,
    }),
  );
}
