// One side's subflows over the life of a flow. The kernel forgets a subflow's counters when it closes, so what was
// sampled last is kept.

import type { SubflowSample } from '../socket/subflows.ts';
import { formatHostPort } from '../wire/destination.ts';
import type { SubflowRecord } from './flow-record.ts';

/** Subflows remembered for one side; beyond that the oldest closed ones go. */
const SUBFLOWS_MAX = 64;

export class SubflowLog {
  /** By addresses and ports: ids are handed out again. Bounded by SUBFLOWS_MAX. */
  readonly #seen = new Map<string, SubflowRecord>();

  /** `ending`: the connection itself is closing, and its subflows with it; those not listed any more are not marked. */
  update(subflows: readonly SubflowSample[], ending: boolean): void {
    const open = new Set<string>();
    for (const subflow of subflows) {
      const key = keyOf(subflow);
      open.add(key);
      const known = this.#seen.get(key);
      // The kernel does not tell of a subflow that is closing.
      this.#seen.set(key, { ...recordOf(subflow), backup: subflow.backup ?? known?.backup });
    }
    for (const [key, subflow] of this.#seen) {
      if (!ending && !open.has(key) && !subflow.closed) this.#seen.set(key, { ...subflow, closed: true });
    }
    for (const key of this.#seen.keys()) {
      if (this.#seen.size <= SUBFLOWS_MAX) break;
      if (!open.has(key)) this.#seen.delete(key);
    }
  }

  subflows(): SubflowRecord[] {
    return [...this.#seen.values()];
  }
}

function keyOf({ local, remote }: SubflowSample): string {
  return `${formatHostPort(local.address, local.port)} ${formatHostPort(remote.address, remote.port)}`;
}

function recordOf(sample: SubflowSample): SubflowRecord {
  const { id, local, remote, bytesSent, bytesReceived, rttUs, retransmits, congestionWindow } = sample;
  const rttMs = rttUs / 1000;
  const backup = sample.backup;
  return { id, local, remote, bytesSent, bytesReceived, rttMs, retransmits, congestionWindow, backup, closed: false };
}
