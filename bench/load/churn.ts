// Short connections, a fixed number at a time: open, one small request, one small answer, closed by the server.

import type { EventLoop } from '#anabranch/dataplane/event-loop.js';
import { EPOLLIN, EPOLLRDHUP } from '#anabranch/ffi/epoll.js';
import { errnoName } from '#anabranch/ffi/linux-error.js';
import { NativeBuffer } from '#anabranch/ffi/native-buffer.js';
import { recv, send } from '#anabranch/ffi/sockets.js';
import { MSG_DONTWAIT, MSG_NOSIGNAL } from '#anabranch/socket/constants.js';
import { Dialled, type Role, type Route } from './dialled.ts';
import type { SharedCounts } from './shared.ts';
import { ANSWER_BYTES, EAGAIN, REQUEST_BYTES, Wish } from './wishes.ts';

/** After so many the load gives up: it would only burn the CPU that the others measure with. */
const FAILURES_MAX = 1_000;

export class Churn implements Role {
  readonly counts: SharedCounts;
  readonly #loop: EventLoop;
  readonly #route: Route;
  readonly #buffer = new NativeBuffer(4096);

  constructor(loop: EventLoop, route: Route, counts: SharedCounts, connections: number) {
    this.#loop = loop;
    this.#route = route;
    this.counts = counts;
    for (let i = 0; i < connections; i++) this.#dial();
  }

  onOpen(connection: Dialled): void {
    this.counts.add('opened', 1);
    this.#buffer.bytes[0] = Wish.answer;
    const put = send(connection.fd, this.#buffer, 0, REQUEST_BYTES, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < REQUEST_BYTES) connection.fail(`send: ${put < 0 ? errnoName(-put) : 'short write'}`);
  }

  onReady(connection: Dialled, events: number): void {
    if ((events & (EPOLLIN | EPOLLRDHUP)) === 0) return;
    const got = recv(connection.fd, this.#buffer, 0, 4096, MSG_DONTWAIT);
    if (got === -EAGAIN) return;
    if (got < 0) return connection.fail(`recv: ${errnoName(-got)}`);
    connection.got += got;
    // With the end announced and the whole answer read there is nothing left but the end itself.
    if (got > 0 && !((events & EPOLLRDHUP) !== 0 && connection.got >= ANSWER_BYTES)) return;
    if (connection.got !== ANSWER_BYTES) return connection.fail(`answer of ${connection.got} bytes`);
    connection.close();
    this.counts.add('done', 1);
    this.#dial();
  }

  onFailed(): void {
    if (this.counts.get('failed') < FAILURES_MAX) this.#dial();
  }

  #dial(): void {
    new Dialled(this.#loop, this.#route, this);
  }
}
