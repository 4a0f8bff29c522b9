// What each path carried, second by second: the subflows of the live flows, summed by the address they leave from. Pure:
// flows in, figures out. What a flow moved after it was last seen is in its record, and not here.

import type { SideRecord } from './flow-record.ts';
import type { FlowStatus } from './flow-status.ts';

/** One second of one path. Bytes are payload. */
export interface PathSecond {
  /** The path's name, or its local address where nobody knows the name. */
  readonly path: string;
  readonly subflows: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Mean over the subflows. */
  readonly rttMs: number | undefined;
  readonly retransmits: number;
}

interface Known {
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly retransmits: number;
}

interface Sum {
  subflows: number;
  bytesSent: number;
  bytesReceived: number;
  retransmits: number;
  rttMsSum: number;
  rttCount: number;
}

/**
 * Subflows remembered. Those that were not seen for long go first: a flow that is missing once, for its thread answered
 * late, is not new when it is there again.
 */
const KNOWN_MAX = 32_768;

/** Bounded by KNOWN_MAX and the flows it is given. */
export class PathMeter {
  /** The last seen last. */
  readonly #known = new Map<string, Known>();

  /** `nameOf`: the path of a local address. Loopback is no path. */
  measure(flows: readonly FlowStatus[], nameOf: (address: string) => string | undefined): PathSecond[] {
    const sums = new Map<string, Sum>();
    for (const flow of flows) {
      for (const [side, record] of Object.entries({ client: flow.clientSide, server: flow.serverSide })) {
        if (record !== undefined) this.#add(`${flow.id} ${side}`, record, nameOf, sums);
      }
    }
    this.#forget();
    return [...sums].map(([path, sum]) => {
      const { subflows, bytesSent, bytesReceived, retransmits, rttMsSum, rttCount } = sum;
      return {
        path,
        subflows,
        bytesSent,
        bytesReceived,
        retransmits,
        rttMs: rttCount === 0 ? undefined : rttMsSum / rttCount,
      };
    });
  }

  #forget(): void {
    for (const key of this.#known.keys()) {
      if (this.#known.size <= KNOWN_MAX) return;
      this.#known.delete(key);
    }
  }

  #add(flow: string, side: SideRecord, nameOf: (address: string) => string | undefined, sums: Map<string, Sum>): void {
    for (const { local, remote, bytesSent, bytesReceived, retransmits, rttMs, closed } of side.subflows) {
      if (local.address.startsWith('127.') || local.address === '::1') continue;
      const key = `${flow} ${local.address} ${local.port} ${remote.address} ${remote.port}`;
      const before = this.#known.get(key) ?? { bytesSent: 0, bytesReceived: 0, retransmits: 0 };
      this.#known.delete(key);
      this.#known.set(key, { bytesSent, bytesReceived, retransmits });
      const path = nameOf(local.address) ?? local.address;
      const sum = sums.get(path) ?? {
        subflows: 0,
        bytesSent: 0,
        bytesReceived: 0,
        retransmits: 0,
        rttMsSum: 0,
        rttCount: 0,
      };
      sums.set(path, sum);
      sum.bytesSent += Math.max(0, bytesSent - before.bytesSent);
      sum.bytesReceived += Math.max(0, bytesReceived - before.bytesReceived);
      sum.retransmits += Math.max(0, retransmits - before.retransmits);
      if (closed) continue;
      sum.subflows++;
      if (rttMs > 0) {
        sum.rttMsSum += rttMs;
        sum.rttCount++;
      }
    }
  }
}
