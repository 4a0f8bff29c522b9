// Streams that send, or receive, as fast as the proxy lets them.

import type { EventLoop } from '#anabranch/dataplane/event-loop.js';
import { EPOLLIN, EPOLLOUT } from '#anabranch/ffi/epoll.js';
import { errnoName } from '#anabranch/ffi/linux-error.js';
import { NativeBuffer } from '#anabranch/ffi/native-buffer.js';
import { recv, send } from '#anabranch/ffi/sockets.js';
import { MSG_DONTWAIT, MSG_NOSIGNAL } from '#anabranch/socket/constants.js';
import { Dialled, type Role, type Route } from './dialled.ts';
import type { SharedCounts } from './shared.ts';
import { DISCARD_BYTES, EAGAIN, MSG_TRUNC, SEND_BYTES, Wish } from './wishes.ts';

const CALLS_PER_ROUND = 8;

export class Bulk implements Role {
  readonly counts: SharedCounts;
  readonly #upload: boolean;
  readonly #buffer = new NativeBuffer(DISCARD_BYTES);

  constructor(loop: EventLoop, route: Route, counts: SharedCounts, streams: number, upload: boolean) {
    this.counts = counts;
    this.#upload = upload;
    this.#buffer.bytes.fill(upload ? Wish.sink : Wish.source, 0, SEND_BYTES);
    for (let i = 0; i < streams; i++) new Dialled(loop, route, this);
  }

  onOpen(connection: Dialled): void {
    const put = send(connection.fd, this.#buffer, 0, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 1) return connection.fail(`send: ${errnoName(-put)}`);
    connection.watchLevel(this.#upload ? EPOLLOUT : EPOLLIN);
    connection.countMptcp();
    this.counts.add('opened', 1);
  }

  onReady(connection: Dialled): void {
    for (let i = 0; i < CALLS_PER_ROUND; i++) {
      const want = this.#upload ? SEND_BYTES : DISCARD_BYTES;
      const moved = this.#upload
        ? send(connection.fd, this.#buffer, 0, want, MSG_DONTWAIT | MSG_NOSIGNAL)
        : recv(connection.fd, this.#buffer, 0, want, MSG_DONTWAIT | MSG_TRUNC);
      if (moved === -EAGAIN) return;
      if (moved <= 0) return connection.fail(moved === 0 ? 'closed by the proxy' : errnoName(-moved));
      if (!this.#upload) this.counts.add('bytes', moved);
      if (moved < want) return;
    }
  }

  onFailed(): void {}
}
