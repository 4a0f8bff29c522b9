// Connections that are opened, used for one byte each way, and then kept without a word.

import type { EventLoop } from '#anabranch/dataplane/event-loop.js';
import { EPOLLIN } from '#anabranch/ffi/epoll.js';
import { errnoName } from '#anabranch/ffi/linux-error.js';
import { NativeBuffer } from '#anabranch/ffi/native-buffer.js';
import { recv, send } from '#anabranch/ffi/sockets.js';
import { MSG_DONTWAIT, MSG_NOSIGNAL } from '#anabranch/socket/constants.js';
import { Dialled, type Role, type Route } from './dialled.ts';
import type { SharedCounts } from './shared.ts';
import { EAGAIN, Wish } from './wishes.ts';

/** Being opened at the same time: few enough for every peer's listen queue. */
const UNDER_WAY_MAX = 32;

export class Hold implements Role {
  readonly counts: SharedCounts;
  readonly #loop: EventLoop;
  readonly #route: Route;
  readonly #buffer = new NativeBuffer(64);
  /** In all, failed ones included. */
  #dialled = 0;
  #underWay = 0;

  constructor(loop: EventLoop, route: Route, counts: SharedCounts) {
    this.#loop = loop;
    this.#route = route;
    this.counts = counts;
  }

  /** Opens connections until there are as many as wanted. */
  grow(): void {
    while (this.#dialled < this.counts.get('wanted') && this.#underWay < UNDER_WAY_MAX) {
      this.#dialled++;
      this.#underWay++;
      new Dialled(this.#loop, this.#route, this);
    }
  }

  onOpen(connection: Dialled): void {
    this.#buffer.bytes[0] = Wish.echo;
    const put = send(connection.fd, this.#buffer, 0, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 1) connection.fail(`send: ${errnoName(-put)}`);
  }

  onReady(connection: Dialled, events: number): void {
    if ((events & EPOLLIN) === 0) return;
    const got = recv(connection.fd, this.#buffer, 0, 64, MSG_DONTWAIT);
    if (got === -EAGAIN) return;
    if (got <= 0) return connection.fail(got === 0 ? 'closed by the proxy' : errnoName(-got));
    this.counts.add('opened', 1);
    this.#underWay--;
    this.grow();
  }

  onFailed(): void {
    this.#underWay--;
    this.grow();
  }
}
