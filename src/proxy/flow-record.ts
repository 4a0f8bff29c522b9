// What is known of a connection once it is over, and whom to tell. One JSON line of the log is one FlowRecord.

import type { MptcpState } from '../socket/mptcp.ts';
import type { Endpoint } from '../wire/destination.ts';

/** Why a flow ended. Stable: reports and alerts are built on these. */
export const FLOW_ENDS = [
  'done', // both sides ended in order
  'client-reset',
  'server-reset',
  'client-error',
  'server-error',
  'handshake-timeout',
  'idle-timeout',
  'half-closed-timeout',
  'peer-silent', // sent data stayed unacknowledged for longer than userTimeout
  'shutdown', // cut when draining took too long
  'client-gone', // the client left before it was connected
  'handed-over', // plain HTTP requests; each upstream connection is a flow of its own
  // The client's handshake failed (HandshakeEnd).
  'bad-request',
  'too-large',
  'unsupported',
  'auth-required',
  'auth-failed',
  // The destination could not be had (ConnectFailure).
  'refused',
  'host-unreachable',
  'network-unreachable',
  'timed-out',
  'denied',
  'name-not-found',
  'name-failure',
  'upstream-failed',
  'resources',
  'general',
] as const;

export type FlowEnd = (typeof FLOW_ENDS)[number];

/** One TCP connection or subflow of one side, as last seen; bytes are payload, from our point of view. */
export interface SubflowRecord {
  readonly id: number;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly rttMs: number;
  readonly retransmits: number;
  readonly congestionWindow: number;
  /** Asked to carry data only when no other subflow can; `undefined` where we may not ask the kernel. */
  readonly backup: boolean | undefined;
  /** It was closed before the connection ended; its figures are the last ones sampled. */
  readonly closed: boolean;
}

/** What `congestion: auto` chose last, and why. */
export interface CongestionRecord {
  readonly name: string;
  readonly why: string;
}

export interface SideRecord {
  /** `mptcp`, or why the side was plain TCP. */
  readonly mptcp: MptcpState;
  readonly subflows: readonly SubflowRecord[];
  /** With `congestion: auto`, once it has chosen; it begins with cubic. */
  readonly congestion?: CongestionRecord | undefined;
  /** With `sendBuffer: auto`, once it has chosen: bytes, as the kernel counts. */
  readonly sendBuffer?: number | undefined;
}

/** Times are milliseconds since 1970; `undefined` for what did not come to pass. */
export interface FlowRecord {
  /** Unique over all runs and machines. */
  readonly id: string;
  readonly inbound: string;
  readonly client: Endpoint;
  readonly user: string | undefined;
  /** As the client named it. */
  readonly asked: { readonly host: string; readonly port: number } | undefined;
  /** Where the first hop of the outbound connection leads. */
  readonly reached: Endpoint | undefined;
  readonly outbound: string | undefined;
  readonly acceptedAt: number;
  readonly requestedAt: number | undefined;
  readonly connectedAt: number | undefined;
  readonly firstByteUpAt: number | undefined;
  readonly firstByteDownAt: number | undefined;
  readonly endedAt: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** Longest silence in the middle of one direction's bytes. */
  readonly longestStallMs: number;
  readonly end: FlowEnd;
  /** More on the end, safe to print. */
  readonly detail: string | undefined;
  readonly clientSide: SideRecord | undefined;
  readonly serverSide: SideRecord | undefined;
}

/** Where the records go. Whoever implements it must not block: it is called on the main thread. */
export interface FlowSink {
  /** Takes a batch; what it cannot keep it counts and drops. */
  write(records: readonly FlowRecord[]): void;
  /** Writes what it still holds. Resolves once all is stored or given up on. */
  close(): Promise<void>;
}
