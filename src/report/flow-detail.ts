// One flow with all that the log knows of it.

import type { ReportEvent, ReportFlow } from './report.ts';

export interface Subflow {
  readonly side: 'client' | 'server';
  /** `address:port`, with brackets around IPv6; `?` for what is not known. */
  readonly local: string;
  readonly remote: string;
  /** Addresses alone, as paths are named by. */
  readonly addresses: readonly string[];
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly rttMs: number | undefined;
  readonly retransmits: number;
  readonly backup: boolean;
  /** Before the flow ended; the log does not know when. */
  readonly closed: boolean;
}

export interface FlowDetail {
  readonly flow: ReportFlow;
  /** Milliseconds since the flow's start. */
  readonly milestones: readonly { readonly name: string; readonly atMs: number }[];
  readonly subflows: readonly Subflow[];
  /** Of the flow itself, and of the paths its subflows ran over while it lived. */
  readonly events: readonly ReportEvent[];
}

/** The log has no such flow. */
export class FlowNotFoundError extends Error {
  readonly code = 'flow-not-found';

  constructor(source: string, id: string) {
    super(`${source} holds no flow ${id}; ids are in the output of --csv, --json and in the JSON lines`);
    this.name = 'FlowNotFoundError';
  }
}

export function milestonesOf(moments: {
  readonly requestedMs: number | undefined;
  readonly connectedMs: number | undefined;
  readonly firstByteUpMs: number | undefined;
  readonly firstByteDownMs: number | undefined;
}): FlowDetail['milestones'] {
  const named = [
    ['asked', moments.requestedMs],
    ['connected', moments.connectedMs],
    ['first byte up', moments.firstByteUpMs],
    ['first byte down', moments.firstByteDownMs],
  ] as const;
  return named.flatMap(([name, atMs]) => (atMs === undefined ? [] : [{ name, atMs }]));
}

/** Whether it befell the path that one of these addresses is on: named by its address, or with its addresses. */
export function isOnPath({ path, addresses = [] }: ReportEvent, of: readonly string[]): boolean {
  return path !== undefined && [path, ...addresses].some((address) => of.includes(address));
}
