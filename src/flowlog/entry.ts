// What the database log takes. The shape of a flow is that of the proxy's FlowRecord, of which this room needs only the
// figures: an entry read back from the spool may come from an older version, so everything not essential may be absent.

import type { Endpoint } from '../wire/destination.ts';

export interface SubflowEntry {
  readonly id: number;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly rttMs: number;
  readonly retransmits: number;
  readonly congestionWindow: number;
  readonly backup?: boolean | undefined;
  readonly closed: boolean;
}

export interface SideEntry {
  /** `mptcp`, or why the side was plain TCP. */
  readonly mptcp: string;
  readonly subflows: readonly SubflowEntry[];
  /** Congestion control chosen while the connection lived, and why. */
  readonly congestion?: { readonly name: string; readonly why: string } | undefined;
}

/** Times are milliseconds since 1970. */
export interface FlowEntry {
  /** Unique over all runs and machines: writing a flow twice stores it once. */
  readonly id: string;
  readonly inbound: string;
  readonly client: Endpoint;
  readonly user?: string | undefined;
  readonly asked?: { readonly host: string; readonly port: number } | undefined;
  readonly reached?: Endpoint | undefined;
  readonly outbound?: string | undefined;
  readonly acceptedAt: number;
  readonly requestedAt?: number | undefined;
  readonly connectedAt?: number | undefined;
  readonly firstByteUpAt?: number | undefined;
  readonly firstByteDownAt?: number | undefined;
  readonly endedAt: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly longestStallMs: number;
  readonly end: string;
  readonly detail?: string | undefined;
  readonly clientSide?: SideEntry | undefined;
  readonly serverSide?: SideEntry | undefined;
}

/** What one path carried in one second, all flows together. */
export interface PathSampleEntry {
  /** The second, in milliseconds since 1970; the rest of the second is cut off. */
  readonly at: number;
  /** The path's name, or its local address. */
  readonly path: string;
  /** Subflows on this path at the time. */
  readonly subflows: number;
  /** Payload bytes within this second. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Mean over the subflows; undefined when none was measured. */
  readonly rttMs?: number | undefined;
  /** Within this second. */
  readonly retransmits: number;
}

/** Something that happened: `path-up`, `path-down`, `fallback`, `reload`, `throttle`, … */
export interface EventEntry {
  /** Unique over all runs and machines. */
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Stable and greppable. */
  readonly kind: string;
  readonly path?: string | undefined;
  /** The flow it happened to, where it did to one. */
  readonly flowId?: string | undefined;
  readonly message?: string | undefined;
  /** Anything more, as JSON. */
  readonly data?: Readonly<Record<string, unknown>> | undefined;
}

export interface Batch {
  readonly flows: readonly FlowEntry[];
  readonly samples: readonly PathSampleEntry[];
  readonly events: readonly EventEntry[];
}

export const EMPTY_BATCH: Batch = { flows: [], samples: [], events: [] };

export function entriesOf(batch: Batch): number {
  return batch.flows.length + batch.samples.length + batch.events.length;
}
