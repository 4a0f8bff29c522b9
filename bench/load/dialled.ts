// A connection of the load client: connect, the proxy's handshake if there is one, then it is its role's.

import { parentPort } from 'node:worker_threads';
import type { EventLoop, Watcher } from '#anabranch/dataplane/event-loop.js';
import { close } from '#anabranch/ffi/descriptors.js';
import { EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP } from '#anabranch/ffi/epoll.js';
import { errnoName } from '#anabranch/ffi/linux-error.js';
import { NativeBuffer } from '#anabranch/ffi/native-buffer.js';
import { recv, send } from '#anabranch/ffi/sockets.js';
import { beginConnect } from '#anabranch/socket/connect.js';
import { MSG_DONTWAIT, MSG_NOSIGNAL, SOL_SOCKET } from '#anabranch/socket/constants.js';
import { staysMptcp } from '#anabranch/socket/mptcp.js';
import { setInt, takeError } from '#anabranch/socket/options.js';
import type { SharedCounts } from './shared.ts';
import { EAGAIN } from './wishes.ts';

/** How a client reaches the server. All on 127.0.0.1. */
export interface Route {
  /** `forward`: the port leads to the server without a word; `socks`: version 5; `http`: CONNECT. */
  readonly entry: 'forward' | 'socks' | 'http';
  readonly port: number;
  /** The server's, for a handshake that names it. */
  readonly targetPort: number;
  readonly mptcp: boolean;
  /** Send no faster than this: the kernel paces it (socket(7), SO_MAX_PACING_RATE). */
  readonly bytesPerSecond?: number;
}

/** What a connection is used for once it is open. */
export interface Role {
  readonly counts: SharedCounts;
  /** The handshake is done; nothing was sent to the server yet. */
  onOpen(connection: Dialled): void;
  onReady(connection: Dialled, events: number): void;
  /** The connection is closed, and its failure counted and told already. */
  onFailed(connection: Dialled): void;
}

const EDGES = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
const CONNECT_OPTIONS = { sourceAddress: [], socket: {}, fastOpen: false };
const HANDSHAKE_BYTES_MAX = 4096;
/** include/uapi/asm-generic/socket.h */
const SO_MAX_PACING_RATE = 47;

/** Bounded by what the roles dial. Descriptors outlive the thread that opened them, so these must be closed. */
const open = new Set<Dialled>();

export function closeAllDialled(): void {
  for (const connection of open) connection.close();
}

const scratch = new NativeBuffer(HANDSHAKE_BYTES_MAX);

export class Dialled implements Watcher {
  readonly fd: number;
  /** For the role: bytes of the answer so far, and when the question went out. */
  got = 0;
  askedAt = 0;
  readonly #loop: EventLoop;
  readonly #route: Route;
  readonly #role: Role;
  #stage: 'connecting' | 'greeting' | 'requesting' | 'open' | 'closed' = 'connecting';
  #reply = '';

  constructor(loop: EventLoop, route: Route, role: Role) {
    this.#loop = loop;
    this.#route = route;
    this.#role = role;
    this.fd = beginConnect('127.0.0.1', route.port, { ...CONNECT_OPTIONS, mptcp: route.mptcp });
    if (this.fd < 0) {
      this.#fail(`connect: ${errnoName(-this.fd)}`);
      return;
    }
    open.add(this);
    if (route.bytesPerSecond !== undefined) setInt(this.fd, SOL_SOCKET, SO_MAX_PACING_RATE, route.bytesPerSecond);
    const status = loop.watch(this.fd, EDGES, this);
    if (status < 0) this.fail(`epoll_ctl: ${errnoName(-status)}`);
  }

  onReady(events: number): void {
    if (this.#stage === 'open') return this.#role.onReady(this, events);
    if ((events & (EPOLLERR | EPOLLHUP)) !== 0) {
      return this.fail(`${this.#stage}: ${errnoName(takeError(this.fd))}`);
    }
    if (this.#stage === 'connecting') {
      if ((events & EPOLLOUT) !== 0) this.#connected();
    } else if ((events & EPOLLIN) !== 0) this.#hear();
  }

  /** Level-triggered from here on; the role reads or writes as much as it likes at a time. */
  watchLevel(events: number): void {
    this.#loop.change(this.fd, events);
  }

  close(): void {
    if (this.#stage === 'closed') return;
    this.#stage = 'closed';
    open.delete(this);
    this.#loop.forget(this.fd);
    close(this.fd);
  }

  fail(why: string): void {
    this.close();
    this.#fail(why);
  }

  /** Counts whether this connection stayed MPTCP. */
  countMptcp(): void {
    if (this.#route.mptcp && staysMptcp(this.fd)) this.#role.counts.add('mptcp', 1);
  }

  #fail(why: string): void {
    const { counts } = this.#role;
    counts.add('failed', 1);
    if (counts.get('failed') === 1) parentPort?.postMessage({ kind: 'failure', why });
    // Later, because the constructor's caller does not have the connection yet.
    this.#loop.defer({ resume: () => this.#role.onFailed(this) });
  }

  #connected(): void {
    const { entry, targetPort } = this.#route;
    if (entry === 'forward') return this.#open();
    if (entry === 'socks') {
      this.#stage = 'greeting';
      // RFC 1928 §3: version 5, one method, no authentication.
      return this.#say(String.fromCharCode(5, 1, 0));
    }
    this.#stage = 'requesting';
    this.#say(`CONNECT 127.0.0.1:${targetPort} HTTP/1.1\r\nHost: 127.0.0.1:${targetPort}\r\n\r\n`);
  }

  #open(): void {
    this.#stage = 'open';
    this.#role.onOpen(this);
  }

  #say(text: string): void {
    for (let i = 0; i < text.length; i++) scratch.bytes[i] = text.charCodeAt(i);
    const put = send(this.fd, scratch, 0, text.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < text.length) this.fail(`${this.#stage}: ${put < 0 ? errnoName(-put) : 'short write'}`);
  }

  #hear(): void {
    const got = recv(this.fd, scratch, 0, HANDSHAKE_BYTES_MAX, MSG_DONTWAIT);
    if (got === -EAGAIN) return;
    if (got <= 0) return this.fail(`${this.#stage}: ${got === 0 ? 'closed by the proxy' : errnoName(-got)}`);
    for (let i = 0; i < got; i++) this.#reply += String.fromCharCode(scratch.bytes[i] as number);
    if (this.#reply.length > HANDSHAKE_BYTES_MAX) return this.fail('the reply has no end');
    if (this.#route.entry === 'http') this.#hearHttp();
    else this.#hearSocks();
  }

  #hearHttp(): void {
    if (!this.#reply.includes('\r\n\r\n')) return;
    const status = this.#reply.slice(0, this.#reply.indexOf('\r\n'));
    if (!/^HTTP\/1\.[01] 200\b/.test(status)) return this.fail(`CONNECT: ${status}`);
    this.#open();
  }

  #hearSocks(): void {
    const reply = this.#reply;
    if (this.#stage === 'greeting') {
      if (reply.length < 2) return;
      if (reply.charCodeAt(1) !== 0) return this.fail(`SOCKS: method ${reply.charCodeAt(1)}`);
      this.#stage = 'requesting';
      this.#reply = '';
      const port = this.#route.targetPort;
      // RFC 1928 §4: CONNECT to an IPv4 address.
      return this.#say(String.fromCharCode(5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 0xff));
    }
    if (reply.length < 5) return;
    if (reply.charCodeAt(1) !== 0) return this.fail(`SOCKS: reply ${reply.charCodeAt(1)}`);
    // RFC 1928 §6: the bound address is IPv4 (1), a name (3) or IPv6 (4).
    const type = reply.charCodeAt(3);
    const length = type === 1 ? 10 : type === 4 ? 22 : 7 + reply.charCodeAt(4);
    if (reply.length >= length) this.#open();
  }
}
