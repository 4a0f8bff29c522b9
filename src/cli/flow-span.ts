// A flow record as a span of OpenTelemetry: names and attributes follow the semantic conventions (general, network and
// error attributes), and what they have no word for begins with `anabranch.`.

import type { Attributes } from '@opentelemetry/api';
import type { FlowRecord, SideRecord, SubflowRecord } from '../proxy/flow-record.ts';

export interface SpanEvent {
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly attributes: Attributes;
}

/** Ends that nobody has to look into: in order, or the client's own decision. */
const FINE = new Set(['done', 'client-gone', 'client-reset', 'handed-over', 'idle-timeout', 'shutdown', 'denied']);

export function isFailure({ end }: FlowRecord): boolean {
  return !FINE.has(end);
}

/** Few different names, as the conventions want them: where to is an attribute. */
export function spanNameOf({ inbound }: FlowRecord): string {
  return `flow ${inbound}`;
}

export function attributesOf(record: FlowRecord): Attributes {
  const { id, client, user, asked, reached, inbound, outbound, bytesUp, bytesDown, longestStallMs, end } = record;
  return {
    'network.transport': 'tcp',
    'client.address': client.address,
    'client.port': client.port,
    ...(user !== undefined && { 'user.name': user }),
    ...(asked !== undefined && { 'server.address': asked.host, 'server.port': asked.port }),
    ...(reached !== undefined && { 'network.peer.address': reached.address, 'network.peer.port': reached.port }),
    ...(isFailure(record) && { 'error.type': end }),
    'anabranch.flow.id': id,
    'anabranch.inbound': inbound,
    ...(outbound !== undefined && { 'anabranch.outbound': outbound }),
    'anabranch.end': end,
    'anabranch.bytes_up': bytesUp,
    'anabranch.bytes_down': bytesDown,
    'anabranch.longest_stall_ms': longestStallMs,
    ...mptcpOf('client', record.clientSide),
    ...mptcpOf('server', record.serverSide),
  };
}

function mptcpOf(side: string, record: SideRecord | undefined): Attributes {
  if (record === undefined) return {};
  return { [`anabranch.${side}.mptcp`]: record.mptcp, [`anabranch.${side}.subflows`]: record.subflows.length };
}

/** In order of time. When a subflow came and went is not known: each is told of at the end, with its last figures. */
export function eventsOf(record: FlowRecord): SpanEvent[] {
  const { requestedAt, connectedAt, firstByteUpAt, firstByteDownAt, endedAt, clientSide, serverSide } = record;
  const times = { requested: requestedAt, connected: connectedAt };
  const first = { 'first byte up': firstByteUpAt, 'first byte down': firstByteDownAt };
  const moments = Object.entries({ ...times, ...first })
    .flatMap(([name, at]): SpanEvent[] => (at === undefined ? [] : [{ name, at, attributes: {} }]))
    .sort((a, b) => a.at - b.at);
  const subflows = Object.entries({ client: clientSide, server: serverSide }).flatMap(([side, of]) =>
    (of?.subflows ?? []).map((subflow) => ({ name: 'subflow', at: endedAt, attributes: subflowOf(side, subflow) })),
  );
  return [...moments, ...subflows];
}

function subflowOf(side: string, subflow: SubflowRecord): Attributes {
  const { id, local, remote, bytesSent, bytesReceived, rttMs, retransmits, congestionWindow, backup, closed } = subflow;
  return {
    'anabranch.side': side,
    'anabranch.subflow.id': id,
    'network.local.address': local.address,
    'network.local.port': local.port,
    'network.peer.address': remote.address,
    'network.peer.port': remote.port,
    'anabranch.subflow.bytes_sent': bytesSent,
    'anabranch.subflow.bytes_received': bytesReceived,
    'anabranch.subflow.rtt_ms': rttMs,
    'anabranch.subflow.retransmits': retransmits,
    'anabranch.subflow.congestion_window': congestionWindow,
    ...(backup !== undefined && { 'anabranch.subflow.backup': backup }),
    'anabranch.subflow.closed': closed,
  };
}
