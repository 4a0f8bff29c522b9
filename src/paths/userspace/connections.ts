// The MPTCP connections of a network namespace, as events and lists of sockets tell of them. Does nothing by itself, and
// takes time and chance as values.

import { isLoopback } from '../../routing/access.ts';
import type { PmEvent } from '../../wire/mptcp-pm.ts';
import type { SubflowProgress } from '../../wire/subflow-dump.ts';
import { Connection, subflowKey } from './connection.ts';
import type { Policy } from './desired.ts';

/** More are left as they are. */
const CONNECTIONS_MAX = 65_536;
/** Wishes for connections that have not come to stand yet. */
const TOLD_MAX = 16_384;
/** A connection without subflows lives for net.mptcp.close_timeout, 60 s; then we have missed its end. */
const FORGET_MS = 90_000;

export class Connections {
  /** By token. Bounded by CONNECTIONS_MAX. */
  readonly #connections = new Map<number, Connection>();
  /** By token. Bounded by TOLD_MAX: the oldest goes. */
  readonly #told = new Map<number, Policy>();
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#connections.values();
  }

  get(token: number | undefined): Connection | undefined {
    return token === undefined ? undefined : this.#connections.get(token);
  }

  /** Who opened a connection says what it is for. Returns the connection, if it stands and this is news. */
  tell(token: number, policy: Policy): Connection | undefined {
    const connection = this.#connections.get(token);
    if (connection !== undefined) {
      connection.policy = policy;
      return connection;
    }
    this.#told.delete(token);
    this.#told.set(token, policy);
    for (const oldest of this.#told.keys()) {
      if (this.#told.size <= TOLD_MAX) break;
      this.#told.delete(oldest);
    }
    return undefined;
  }

  /** Returns the connection that must be looked at again; `undefined` for none. */
  apply(event: PmEvent, now: number): Connection | undefined {
    const { kind, token, local, remote } = event;
    if (token === undefined) return undefined;
    if (kind === 'closed') {
      this.#connections.delete(token);
      this.#told.delete(token);
      return undefined;
    }
    const connection = kind === 'established' ? this.#opened(event, token, now) : this.#connections.get(token);
    if (connection === undefined) return undefined;
    const { address: from } = local;
    const { address: to } = remote;
    if (kind === 'announced') {
      if (to !== undefined) connection.announced(remote.id ?? 0, { address: to, port: remote.port });
      return connection;
    }
    if (kind === 'removed') {
      connection.withdrawn(remote.id ?? 0);
      return connection;
    }
    if (from === undefined || to === undefined) return connection;
    const ends = [
      { address: from, port: local.port },
      { address: to, port: remote.port },
    ] as const;
    if (kind === 'subflow-established') {
      const subflow = connection.opened(...ends, local.id ?? 0);
      const backup = connection.joinOf(...ends)?.stands(now) ?? false;
      if (subflow !== undefined) subflow.backup = backup;
    } else if (kind === 'subflow-closed') {
      const stood = connection.closed(...ends);
      const join = connection.joinOf(...ends);
      if (stood) join?.ended(now, this.#random());
      else if (event.errno !== 0) join?.refused(now, this.#random());
    }
    return connection;
  }

  /** Takes in a list of all subflows, which makes up for what events did not tell. Calls `onSeen` for each connection; `hasChanged`: there is news. */
  observe(
    subflows: readonly SubflowProgress[],
    now: number,
    onSeen: (connection: Connection, hasChanged: boolean) => void,
  ) {
    const listed = new Map<number, SubflowProgress[]>();
    for (const subflow of subflows) {
      const others = listed.get(subflow.token);
      if (others === undefined) listed.set(subflow.token, [subflow]);
      else others.push(subflow);
    }
    for (const [token, of] of listed) {
      const known = this.#connections.get(token);
      const connection = known ?? this.#found(token, of, now);
      if (connection === undefined) continue;
      let hasChanged = known === undefined;
      for (const subflow of of) hasChanged = connection.observe(subflow, now) || hasChanged;
      const keys = new Set(of.map(({ local, remote }) => subflowKey(local, remote)));
      onSeen(connection, connection.keepOnly(keys) || hasChanged);
    }
    for (const [token, connection] of this.#connections) {
      if (listed.has(token)) continue;
      connection.keepOnly(new Set());
      if (now - connection.seenAt > FORGET_MS) this.#connections.delete(token);
    }
  }

  #opened(event: PmEvent, token: number, now: number): Connection | undefined {
    const { local, remote, serverSide, denyJoinInitial } = event;
    if (local.address === undefined || remote.address === undefined) return undefined;
    const ends = {
      local: { address: local.address, port: local.port },
      remote: { address: remote.address, port: remote.port },
    };
    const known = this.#connections.get(token);
    if (known !== undefined && denyJoinInitial) known.denyJoinInitial();
    const connection = known ?? this.#add({ token, serverSide, denyJoinInitial, ...ends }, now);
    connection?.opened(ends.local, ends.remote, 0);
    return connection;
  }

  /** A connection whose beginning nobody told us of. */
  #found(token: number, subflows: readonly SubflowProgress[], now: number): Connection | undefined {
    const first = subflows.find(({ initial }) => initial) ?? subflows[0];
    if (first === undefined) return undefined;
    const { initiated, local, remote } = first;
    return this.#add({ token, serverSide: !initiated, denyJoinInitial: false, local, remote }, now);
  }

  #add(opened: ConstructorParameters<typeof Connection>[0], now: number): Connection | undefined {
    const { token, local, remote } = opened;
    // Over loopback there is one path.
    if (isLoopback(local.address) || local.address === remote.address) return undefined;
    if (this.#connections.size >= CONNECTIONS_MAX) return undefined;
    const connection = new Connection(opened, now, this.#random());
    connection.policy = this.#told.get(token);
    this.#told.delete(token);
    this.#connections.set(token, connection);
    return connection;
  }
}
