// What the flow records of a proxy (one JSON object a line) say of each link: its subflows' bytes, retransmissions, round
// trips. Reads only the fields it needs; records have many more.

import type { Lab } from '../lab.ts';

interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** Bytes are payload, seen from the proxy. */
export interface RecordedSubflow {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly rttMs: number;
  readonly retransmits: number;
  readonly closed: boolean;
}

export interface RecordedFlow {
  readonly id: string;
  readonly end: string;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly longestStallMs: number;
  readonly clientSide?: { readonly mptcp: string; readonly subflows: readonly RecordedSubflow[] };
  readonly serverSide?: { readonly mptcp: string; readonly subflows: readonly RecordedSubflow[] };
}

export interface LinkSubflows {
  /** Undefined for addresses that are on no link of the lab. */
  readonly link: string | undefined;
  readonly subflows: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly retransmits: number;
  /** Smoothed round trip, as last seen, mean over the subflows. */
  readonly rttMs: number;
}

/** Lines that are no flow records, such as one that is being written, are left out and counted. */
export function parseFlowRecords(text: string): { flows: RecordedFlow[]; unreadable: number } {
  const flows: RecordedFlow[] = [];
  let unreadable = 0;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const flow = parseFlow(line);
    if (flow === undefined) unreadable++;
    else flows.push(flow);
  }
  return { flows, unreadable };
}

function parseFlow(line: string): RecordedFlow | undefined {
  try {
    const value = JSON.parse(line) as Partial<RecordedFlow> | null;
    const isFlow = typeof value?.id === 'string' && typeof value.end === 'string' && typeof value.bytesUp === 'number';
    return isFlow ? (value as RecordedFlow) : undefined;
  } catch {
    return undefined;
  }
}

/** Sums up the subflows of one side of all flows by the link they went over; see linkOfSubflow. */
export function subflowsByLink(
  flows: readonly RecordedFlow[],
  side: 'clientSide' | 'serverSide',
  linkOf: (subflow: RecordedSubflow) => string | undefined,
): LinkSubflows[] {
  const links = new Map<string | undefined, LinkSubflows>();
  for (const subflow of flows.flatMap((flow) => flow[side]?.subflows ?? [])) {
    const link = linkOf(subflow);
    const before = links.get(link);
    const subflows = (before?.subflows ?? 0) + 1;
    links.set(link, {
      link,
      subflows,
      bytesSent: (before?.bytesSent ?? 0) + subflow.bytesSent,
      bytesReceived: (before?.bytesReceived ?? 0) + subflow.bytesReceived,
      retransmits: (before?.retransmits ?? 0) + subflow.retransmits,
      rttMs: ((before?.rttMs ?? 0) * (subflows - 1) + subflow.rttMs) / subflows,
    });
  }
  return [...links.values()];
}

/**
 * The link that one end of a subflow has its address on; `local` is the proxy's. Ask for the end with several links: the
 * other end's address is the same for all paths. Addresses that hosts have by now count as well as those they had first.
 */
export function linkOfSubflow(lab: Lab, subflow: RecordedSubflow, end: 'local' | 'remote'): string | undefined {
  const { address } = subflow[end];
  const { links } = lab.topology;
  const first = links.find(({ addresses }) => addresses.flat().some((one) => one.address === address));
  if (first !== undefined) return first.name;
  const interfaces = [...lab.hosts.values()].flatMap(({ plan }) => plan.interfaces);
  return interfaces.find(({ addresses }) => addresses.some((one) => one.address === address))?.device;
}
