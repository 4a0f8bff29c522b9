// Takes connections from one listening socket, a bounded number a round; pauses when descriptors run out.

import { close } from '../ffi/descriptors.ts';
import { EPOLLIN } from '../ffi/epoll.ts';
import { accept4 } from '../ffi/sockets.ts';
import { SOCK_CLOEXEC, SOCK_NONBLOCK } from '../socket/constants.ts';
import { SockaddrBuffer } from '../socket/sockaddr.ts';
import type { Endpoint } from '../wire/destination.ts';
import type { EventLoop, Watcher } from './event-loop.ts';
import { type Timed, Timer } from './timers.ts';

/** Accepted in one round, so that a flood of new connections does not starve the standing ones. */
const ACCEPTS_PER_ROUND = 64;
/** Accepted before a listening socket is closed: no queue is longer, and newcomers cannot keep it open. */
const ACCEPTS_AT_CLOSE = 4_096;
/** While descriptors or memory are short. */
const PAUSE_MS = 100;
/** EMFILE, ENFILE, ENOBUFS, ENOMEM: nothing to be gained by trying again at once. */
const SHORTAGE = new Set([24, 23, 105, 12]);

export interface AcceptorOwner {
  /** A new connection: the descriptor is the owner's. */
  onAccept(fd: number, client: Endpoint): void;
  /** Accepting pauses for want of descriptors or memory. */
  onShortage(errno: number): void;
}

const peer = new SockaddrBuffer();

/** Owns its listening socket. */
export class Acceptor implements Watcher, Timed {
  readonly fd: number;
  readonly #loop: EventLoop;
  readonly #owner: AcceptorOwner;
  readonly #timer = new Timer(this);

  constructor(loop: EventLoop, fd: number, owner: AcceptorOwner) {
    this.#loop = loop;
    this.fd = fd;
    this.#owner = owner;
    loop.watch(fd, EPOLLIN, this);
  }

  onReady(): void {
    this.#take(ACCEPTS_PER_ROUND);
  }

  #take(most: number): void {
    for (let i = 0; i < most; i++) {
      const fd = accept4(this.fd, peer.address, peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        if (SHORTAGE.has(-fd)) this.#pause(-fd);
        return;
      }
      this.#owner.onAccept(fd, peer.read());
    }
  }

  onTimer(): void {
    this.#loop.change(this.fd, EPOLLIN);
  }

  /** Takes what is still queued, then closes: a reload must not drop connections that the kernel has accepted. */
  close(): void {
    this.#take(ACCEPTS_AT_CLOSE);
    this.#loop.disarm(this.#timer);
    this.#loop.forget(this.fd);
    close(this.fd);
  }

  #pause(errno: number): void {
    this.#loop.change(this.fd, 0);
    this.#loop.arm(this.#timer, this.#loop.now + PAUSE_MS);
    this.#owner.onShortage(errno);
  }
}
