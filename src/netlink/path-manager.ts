// The kernel's MPTCP path manager of one network namespace: its endpoints and limits; and what it does at the word of a
// userspace path manager, for connections that began under one (net.mptcp.path_manager=userspace).

import { formatHostPort } from '../wire/destination.ts';
import { encodeGetFamily, type GenericFamily, parseFamily, parseGenericMessage } from '../wire/genetlink.ts';
import {
  encodePmRequest,
  MPTCP_PM_EVENTS,
  MPTCP_PM_FAMILY,
  type PmAddress,
  type PmEvent,
  type PmLimits,
  type PmRequest,
  parseEndpoint,
  parseLimits,
  parsePmEvent,
} from '../wire/mptcp-pm.ts';
import { NetlinkError } from './netlink-error.ts';
import { NetlinkProtocol, NetlinkSocket } from './netlink-socket.ts';
import { Notifications } from './notifications.ts';

const DOING = {
  createSubflow: 'opening a subflow',
  destroySubflow: 'ending the subflow',
  setSubflowFlags: 'changing the subflow',
} as const;

export class PathManager {
  readonly #socket: NetlinkSocket;
  readonly #family: GenericFamily;

  private constructor(socket: NetlinkSocket, family: GenericFamily) {
    this.#socket = socket;
    this.#family = family;
  }

  /** `undefined`: this kernel has no MPTCP. Throws a LinuxError or a NetlinkError. */
  static open(namespace?: string): PathManager | undefined {
    const socket = new NetlinkSocket(NetlinkProtocol.generic, namespace);
    let family: GenericFamily | undefined;
    socket.request(
      (sequence) => encodeGetFamily(MPTCP_PM_FAMILY, sequence),
      (type, payload) => {
        family ??= parseFamily(type, payload);
      },
    );
    if (family !== undefined) return new PathManager(socket, family);
    socket.close();
    return undefined;
  }

  /** At most 255, of the kernel's own doing. Throws a NetlinkError. */
  endpoints(): PmAddress[] {
    return this.#list({ kind: 'list' }, 'listing the MPTCP endpoints');
  }

  /** Existing connections open a subflow from it at once. Throws a NetlinkError. */
  add(address: PmAddress): void {
    this.#change(`adding the MPTCP endpoint ${address.address}`, { kind: 'add', address });
  }

  /**
   * Its subflows end, and the peers are told (REMOVE_ADDR, RFC 8684 §3.4.2). Takes some 10 ms, for the kernel waits until
   * nobody uses the entry. Throws a NetlinkError.
   */
  delete(address: PmAddress): void {
    this.#change(`deleting the MPTCP endpoint ${address.address}`, { kind: 'delete', address });
  }

  /** Only `backup` and `fullmesh` can change; connections follow at once (MP_PRIO). Throws a NetlinkError. */
  setFlags(address: PmAddress): void {
    this.#change(`changing the MPTCP endpoint ${address.address}`, { kind: 'setFlags', address });
  }

  /** Throws a NetlinkError. */
  limits(): PmLimits {
    let limits: PmLimits | undefined;
    const errno = this.#socket.request(
      (sequence) => encodePmRequest(this.#family, { kind: 'getLimits' }, sequence),
      (_, payload) => {
        limits = parseLimits(parseGenericMessage(payload));
      },
    );
    if (limits === undefined) throw new NetlinkError(errno, 'reading the MPTCP limits');
    return limits;
  }

  /** Throws a NetlinkError. */
  setLimits(limits: PmLimits): void {
    this.#change('setting the MPTCP limits', { kind: 'setLimits', limits });
  }

  /**
   * Opens, ends or changes a subflow of a connection; an id belongs to one pair of local address and port as long as the
   * connection uses it. Returns the refusal, if it is one: EINVAL for a connection that is not ours to manage (or is gone),
   * for an id that has another address, for an address that has another id, and of `setSubflowFlags` until the peer has
   * confirmed the subflow; ESRCH for a subflow that there is not; EADDRNOTAVAIL, EADDRINUSE as connect(2).
   */
  changeSubflow(
    kind: 'createSubflow' | 'destroySubflow' | 'setSubflowFlags',
    token: number,
    address: PmAddress,
    remote: PmAddress,
  ): NetlinkError | undefined {
    const between = (): string =>
      `from ${formatHostPort(address.address, address.port)} to ${formatHostPort(remote.address, remote.port)}`;
    return this.#attempt(() => `${DOING[kind]} of MPTCP connection ${token} ${between()}`, {
      kind,
      token,
      address,
      remote,
    });
  }

  /** Tells the peer of a connection of a local address (ADD_ADDR, RFC 8684 §3.4.1). Returns the refusal, if it is one. */
  announce(token: number, address: PmAddress): NetlinkError | undefined {
    const what = (): string => `announcing ${address.address} to the peer of MPTCP connection ${token}`;
    return this.#attempt(what, { kind: 'announce', token, address });
  }

  /**
   * Tells the peer of a connection that an address is gone (REMOVE_ADDR): it ends its side of the subflows; ours are to be
   * destroyed. Returns the refusal, if it is one: EINVAL for an id that the connection does not use.
   */
  remove(token: number, id: number): NetlinkError | undefined {
    const what = (): string => `withdrawing address ${id} from the peer of MPTCP connection ${token}`;
    return this.#attempt(what, { kind: 'remove', token, id });
  }

  /** Local addresses that a connection has announced or joined from. At most 255. Throws a NetlinkError. */
  addressesOf(token: number): PmAddress[] {
    return this.#list({ kind: 'listOf', token }, `listing the addresses of MPTCP connection ${token}`);
  }

  /** Events of every connection of the namespace; for `readEvents`. Throws a LinuxError or a NetlinkError. */
  openEvents(namespace?: string): Notifications {
    const group = this.#family.groups.get(MPTCP_PM_EVENTS);
    return new Notifications(NetlinkProtocol.generic, { groups: group === undefined ? [] : [group], namespace });
  }

  /** Events may be lost: `lost` says so. Else they are good for acting sooner, not for keeping count. */
  readEvents(from: Notifications, onEvent: (event: PmEvent) => void): 'read' | 'more' | 'lost' {
    return from.read((type, payload) => {
      if (type !== this.#family.id) return;
      const event = parsePmEvent(parseGenericMessage(payload));
      if (event !== undefined) onEvent(event);
    });
  }

  close(): void {
    this.#socket.close();
  }

  #list(request: PmRequest, what: string): PmAddress[] {
    let addresses: PmAddress[] = [];
    const { errno, reason } = this.#socket.dump(
      (sequence) => encodePmRequest(this.#family, request, sequence),
      () => {
        addresses = [];
      },
      (_, payload) => {
        const address = parseEndpoint(parseGenericMessage(payload));
        if (address !== undefined) addresses.push(address);
      },
    );
    if (errno !== 0) throw new NetlinkError(errno, what, reason);
    return addresses;
  }

  #attempt(what: () => string, request: PmRequest): NetlinkError | undefined {
    return this.#socket.attempt(what, (sequence) => encodePmRequest(this.#family, request, sequence));
  }

  #change(what: string, request: PmRequest): void {
    this.#socket.change(what, (sequence) => encodePmRequest(this.#family, request, sequence));
  }
}
