// What is known of one MPTCP connection: its subflows, what its peer has announced, what was tried. Does nothing by
// itself, and takes time and chance as values.

import { type Endpoint, formatHostPort } from '../../wire/destination.ts';
import type { SubflowProgress } from '../../wire/subflow-dump.ts';
import type { Policy, PortRange, Remote, Wanted } from './desired.ts';
import { Join } from './join.ts';

export interface Subflow {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Id of the local address; 0 for that of the first subflow. */
  readonly localId: number;
  /** What the peer was last told. */
  backup: boolean;
  /** As of the last list. */
  bytes: number;
  rttMs: number | undefined;
  /** When it is to be ended; `undefined`: not at all. */
  endAt: number | undefined;
}

export interface Opened {
  readonly token: number;
  /** The peer opened it: the peer opens its further subflows, too. */
  readonly serverSide: boolean;
  /** The peer takes no further subflows where the first one goes. */
  readonly denyJoinInitial: boolean;
  readonly local: Endpoint;
  readonly remote: Endpoint;
}

/** Addresses that a peer may announce; more are not heard. */
const ANNOUNCED_MAX = 8;
/** The kernel's own path manager takes 8 further ones; what programs or peers add beyond that is not looked after. */
const SUBFLOWS_MAX = 32;
const ID_LAST = 255;

export class Connection {
  readonly token: number;
  readonly serverSide: boolean;
  #denyJoinInitial: boolean;
  readonly remote: Endpoint;
  /** `undefined`: nobody has said; the default holds. */
  policy: Policy | undefined;
  /** Address of the path that came first at the last look. */
  before: string | undefined;
  bytes = 0;
  /** What it had carried when its subflows were thought over last. */
  bytesBefore = 0;
  /** By both ends. Bounded by SUBFLOWS_MAX. */
  readonly #subflows = new Map<string, Subflow>();
  /** By id. Bounded by ANNOUNCED_MAX. */
  readonly #announced = new Map<number, Endpoint>();
  /** Ids of our addresses in this connection, by address, and port where one was chosen. Bounded by ID_LAST. */
  readonly #ids = new Map<string, number>();
  #nextId: number;
  /** By what is wanted. Bounded by `keepJoins`. */
  readonly #joins = new Map<string, Join>();
  /** Ids of what we have announced, by address. Bounded by the paths. */
  readonly told = new Map<string, number>();
  /** When a list of sockets showed it last. */
  seenAt: number;

  /** `random` in [0, 1): ids begin somewhere, so that those of a manager that was killed are not used again at once. */
  constructor({ token, serverSide, denyJoinInitial, remote }: Opened, now: number, random: number) {
    this.token = token;
    this.serverSide = serverSide;
    this.#denyJoinInitial = denyJoinInitial;
    this.remote = remote;
    this.seenAt = now;
    this.#nextId = 1 + Math.floor(random * ID_LAST);
  }

  get subflows(): Iterable<Subflow> {
    return this.#subflows.values();
  }

  /** Smoothed round trip over a path, in milliseconds; `undefined`: no subflow, or nothing came yet. */
  rttMs(address: string): number | undefined {
    for (const { local, rttMs } of this.#subflows.values()) {
      if (local.address === address && rttMs !== undefined) return rttMs;
    }
    return undefined;
  }

  /** Where its peer can be reached; see Subject. */
  get remotes(): readonly Remote[] {
    const first = { ...this.remote, joinable: !this.#denyJoinInitial };
    const others = [...this.#announced.values()].filter(
      ({ address, port }) => address !== first.address || port !== first.port,
    );
    return [first, ...others.map((remote) => ({ ...remote, joinable: true }))];
  }

  /** A list of sockets, which does not tell, may have shown the connection before its own event came. */
  denyJoinInitial(): void {
    this.#denyJoinInitial = true;
  }

  announced(id: number, remote: Endpoint): void {
    if (this.#announced.size < ANNOUNCED_MAX || this.#announced.has(id)) this.#announced.set(id, remote);
  }

  withdrawn(id: number): void {
    this.#announced.delete(id);
  }

  opened(local: Endpoint, remote: Endpoint, localId: number): Subflow | undefined {
    const key = subflowKey(local, remote);
    const known = this.#subflows.get(key);
    if (known !== undefined || this.#subflows.size >= SUBFLOWS_MAX) return known;
    const subflow = { local, remote, localId, backup: false, bytes: 0, rttMs: undefined, endAt: undefined };
    this.#subflows.set(key, subflow);
    return subflow;
  }

  /** Whether it was one of the connection's: one that never stood is none. */
  closed(local: Endpoint, remote: Endpoint): boolean {
    return this.#subflows.delete(subflowKey(local, remote));
  }

  /** Takes in what a list of sockets says of one subflow. Whether it is new, or is spared when it was not, or not when it was. */
  observe({ local, remote, localId, backup, bytesAcked, bytesReceived, rttMs }: SubflowProgress, now: number): boolean {
    const known = this.#subflows.get(subflowKey(local, remote));
    const subflow = known ?? this.opened(local, remote, localId);
    this.seenAt = now;
    if (subflow === undefined) return false;
    const bytes = bytesAcked + bytesReceived;
    this.bytes += Math.max(0, bytes - subflow.bytes);
    subflow.bytes = bytes;
    if (rttMs > 0) subflow.rttMs = rttMs;
    const hasChanged = known === undefined || known.backup !== backup;
    subflow.backup = backup;
    const key = idKey(local.address, undefined);
    if (known === undefined && localId !== 0 && !this.#ids.has(key)) this.#ids.set(key, localId);
    return hasChanged;
  }

  /** The subflows that a list does not show are gone, whether or not we were told. Whether there were any. */
  keepOnly(listed: ReadonlySet<string>): boolean {
    let hasLost = false;
    for (const key of this.#subflows.keys()) if (!listed.has(key)) hasLost = this.#subflows.delete(key);
    return hasLost;
  }

  /** Id for a subflow from this address, and from this port if one is chosen: the same for the same. */
  idFor(address: string, port: number | undefined): number {
    const key = idKey(address, port);
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const taken = new Set(this.#ids.values());
    if (this.#ids.size >= ID_LAST - 1) this.#ids.clear();
    do this.#nextId = (this.#nextId % ID_LAST) + 1;
    while (taken.has(this.#nextId) && taken.size < ID_LAST);
    this.#ids.set(key, this.#nextId);
    return this.#nextId;
  }

  /** The kernel disagrees about an id: the next subflow from there gets another one. */
  forgetId(address: string, port: number | undefined): void {
    this.#ids.delete(idKey(address, port));
  }

  /** Ids under which the peer knows this address; forgets them, for the next subflow from there must have a new one. */
  takeIds(address: string): number[] {
    const ids = new Set<number>();
    for (const { local, localId } of this.#subflows.values()) if (local.address === address) ids.add(localId);
    for (const [key, id] of this.#ids) {
      if (key !== address && !key.startsWith(`${address} `)) continue;
      ids.add(id);
      this.#ids.delete(key);
    }
    return [...ids];
  }

  join(wanted: Wanted): Join {
    const key = joinKey(wanted.address, wanted.remote, wanted.ports);
    const known = this.#joins.get(key);
    if (known !== undefined) return known;
    const join = new Join(wanted);
    this.#joins.set(key, join);
    return join;
  }

  /** Of a subflow that came to stand, or failed to; `undefined`: not of our doing. */
  joinOf(local: Endpoint, remote: Endpoint): Join | undefined {
    for (const join of this.#joins.values()) if (join.fits(local, remote)) return join;
    return undefined;
  }

  /** Forgets what was tried for what is no longer wanted. */
  keepJoins(wanted: readonly Wanted[]): void {
    const keys = new Set(wanted.map(({ address, remote, ports }) => joinKey(address, remote, ports)));
    for (const key of this.#joins.keys()) if (!keys.has(key)) this.#joins.delete(key);
  }

  /** A path has come back: what failed there before says nothing. */
  retry(address: string): void {
    for (const [key, join] of this.#joins) if (join.address === address) this.#joins.delete(key);
  }
}

export function subflowKey(local: Endpoint, remote: Endpoint): string {
  return `${formatHostPort(local.address, local.port)} ${formatHostPort(remote.address, remote.port)}`;
}

function idKey(address: string, port: number | undefined): string {
  return port === undefined ? address : `${address} ${port}`;
}

function joinKey(address: string, remote: Endpoint, ports: PortRange | undefined): string {
  return `${address} ${ports?.from ?? 0} ${formatHostPort(remote.address, remote.port)}`;
}
