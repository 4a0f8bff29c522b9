// One socket of a data-plane thread: registered once, edge-triggered, for both directions; remembers what epoll told.

import { close } from '../ffi/descriptors.ts';
import { EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP } from '../ffi/epoll.ts';
import type { NativeBuffer } from '../ffi/native-buffer.ts';
import { recv, send, shutdown } from '../ffi/sockets.ts';
import { MSG_DONTWAIT, MSG_NOSIGNAL, SHUT_WR } from '../socket/constants.ts';
import { resetOnClose } from '../socket/options.ts';
import type { EventLoop, Watcher } from './event-loop.ts';

/** Who acts on a connection at the moment: a handshake, a race, a relay. */
export interface ConnectionHandler {
  onReady(connection: Connection): void;
}

const READABLE = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
const WRITABLE = EPOLLOUT | EPOLLHUP | EPOLLERR;
const BOTH = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;

/** Owns its descriptor until `close`, `reset` or `detach`. */
export class Connection implements Watcher {
  readonly fd: number;
  /** Speaks MPTCP at this moment. */
  isMptcp: boolean;
  /** May have bytes, an end or an error to read; false once a read found nothing. */
  readable = false;
  /** May take bytes; false once a write found no room. */
  writable = false;
  /** An error or hang-up was reported. */
  failed = false;
  /** An error was reported: nothing can be sent any more, though what came before may still be read. */
  broken = false;
  /** The peer has ended its direction, or the connection: what is left must be read to its end. */
  ending = false;
  /**
   * The peer has sent urgent data (RFC 9293 §3.8.5). A read stops before the urgent byte, with more behind it; a splice
   * finds nothing there, for ever.
   */
  urgent = false;
  handler: ConnectionHandler;
  readonly #loop: EventLoop;
  #open = true;

  /** Begins to watch `fd`. Throws nothing: a full epoll shows as `failed`. */
  constructor(loop: EventLoop, fd: number, isMptcp: boolean, handler: ConnectionHandler) {
    this.#loop = loop;
    this.fd = fd;
    this.isMptcp = isMptcp;
    this.handler = handler;
    if (loop.watch(fd, BOTH, this) < 0) this.failed = true;
  }

  onReady(events: number): void {
    if ((events & READABLE) !== 0) this.readable = true;
    if ((events & WRITABLE) !== 0) this.writable = true;
    if ((events & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) !== 0) this.#note(events);
    this.handler.onReady(this);
  }

  #note(events: number): void {
    if ((events & EPOLLPRI) !== 0) this.urgent = true;
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) !== 0) this.ending = true;
    if ((events & (EPOLLERR | EPOLLHUP)) !== 0) this.failed = true;
    if ((events & EPOLLERR) !== 0) this.broken = true;
  }

  /** Bytes read, 0 at the end of the stream, or −errno. */
  receive(buffer: NativeBuffer, length: number): number {
    const got = recv(this.fd, buffer, 0, length, MSG_DONTWAIT);
    // A short read has emptied the socket, unless an end or an urgent byte is waiting behind it; what comes later raises
    // a new edge.
    if (got < 0 || (got < length && !this.ending && !this.urgent)) this.readable = false;
    return got;
  }

  /** Bytes taken (may be fewer than asked), or −errno. */
  send(buffer: NativeBuffer, offset: number, length: number): number {
    const put = send(this.fd, buffer, offset, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < length) this.writable = false;
    return put;
  }

  /** Ends our direction. */
  endWriting(): void {
    shutdown(this.fd, SHUT_WR);
  }

  /** Ends both directions in order. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#loop.forget(this.fd);
    close(this.fd);
  }

  /** Ends the connection with a reset. */
  reset(): void {
    if (this.#open) resetOnClose(this.fd);
    this.close();
  }

  /** Gives the descriptor away, open and no longer watched; the caller owns it. */
  detach(): number {
    this.#open = false;
    this.#loop.unwatch(this.fd);
    return this.fd;
  }
}
