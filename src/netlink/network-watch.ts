// Keeps a picture of the network up to date: a list of everything at the beginning and whenever notifications were lost,
// single changes in between.
//
// Routes are listed anew after any change that may touch them: the kernel drops IPv4 routes along with an address or
// with an interface that goes down and tells nobody (fib_flush in net/ipv4/fib_frontend.c), and of a route that was
// replaced it tells the new one only.

import { encodeRouteDump, parseRouteMessage, RouteGroup, type RouteSubject } from '../wire/rtnetlink.ts';
import { NetlinkError } from './netlink-error.ts';
import { NetlinkProtocol, NetlinkSocket } from './netlink-socket.ts';
import { Network, type NetworkView } from './network.ts';
import { Notifications } from './notifications.ts';

export interface NetworkWatchOptions {
  /** Path of a network namespace; the thread's own unless given. */
  readonly namespace?: string | undefined;
  /** Tables of which every route is kept, and not only what makes paths. */
  readonly keepTable?: (table: number) => boolean;
  /** See NotificationOptions. */
  readonly kernelBytes?: number;
}

const SUBJECTS: readonly RouteSubject[] = ['link', 'address', 'route', 'rule'];
/** Listing routes takes at most this share of the time, however many there are and however often they change. */
const LISTING_SHARE = 0.1;

export class NetworkWatch {
  /** For an event loop to watch for `events`; then call `read`. */
  readonly fd: number;
  readonly events: number;
  /** How often everything had to be listed anew because notifications were lost. */
  overflows = 0;
  readonly #socket: NetlinkSocket;
  readonly #notifications: Notifications;
  readonly #network: Network;
  #routesChanged = false;
  #routesListedAt = -Infinity;
  #routesListedMs = 0;

  /** Throws a LinuxError or a NetlinkError. */
  constructor({ namespace, keepTable, kernelBytes }: NetworkWatchOptions = {}) {
    this.#network = new Network(keepTable);
    // First the notifications, then the list: what changes in between comes twice, and no harm is done.
    const groups = Object.values(RouteGroup);
    const options = { groups, namespace, ...(kernelBytes === undefined ? {} : { kernelBytes }) };
    this.#notifications = new Notifications(NetlinkProtocol.route, options);
    this.fd = this.#notifications.fd;
    this.events = this.#notifications.events;
    try {
      this.#socket = new NetlinkSocket(NetlinkProtocol.route, namespace);
    } catch (error) {
      this.#notifications.close();
      throw error;
    }
    this.list();
  }

  get network(): NetworkView {
    return this.#network;
  }

  /** Asks for changes of the network; see NetlinkSocket.change. */
  get socket(): NetlinkSocket {
    return this.#socket;
  }

  /** Lists everything. Throws a NetlinkError. */
  list(): void {
    for (const subject of SUBJECTS) this.#list(subject);
  }

  /**
   * Takes in what has changed; true when the picture is another one. `settleMs` > 0: routes have changed and are listed
   * at the next call that comes at least so much later.
   */
  read(): { readonly changed: boolean; readonly settleMs: number } {
    let changed = false;
    const state = this.#notifications.read((type, payload) => {
      const message = parseRouteMessage(type, payload);
      if (message.kind === 'route') {
        this.#routesChanged ||= this.#network.concerns(message.route);
        return;
      }
      if (!this.#network.apply(message)) return;
      changed = true;
      this.#routesChanged ||= message.kind !== 'rule';
    });
    if (state === 'lost') {
      this.overflows++;
      this.list();
      return { changed: true, settleMs: 0 };
    }
    const settleMs = this.#routesChanged ? this.#restMs() : 0;
    if (this.#routesChanged && settleMs === 0) {
      this.#list('route');
      changed = true;
    }
    return { changed, settleMs };
  }

  close(): void {
    this.#notifications.close();
    this.#socket.close();
  }

  #restMs(): number {
    const rest = this.#routesListedAt + this.#routesListedMs / LISTING_SHARE - performance.now();
    return rest > 0 ? Math.ceil(rest) : 0;
  }

  #list(subject: RouteSubject): void {
    const begun = performance.now();
    const { errno, reason } = this.#socket.dump(
      (sequence) => encodeRouteDump(subject, undefined, sequence),
      () => this.#network.forget(subject),
      (type, payload) => {
        const message = parseRouteMessage(type, payload);
        this.#network.apply(message);
      },
    );
    if (errno !== 0) throw new NetlinkError(errno, `listing every ${subject}`, reason);
    if (subject !== 'route') return;
    this.#routesChanged = false;
    this.#routesListedAt = performance.now();
    this.#routesListedMs = this.#routesListedAt - begun;
  }
}
