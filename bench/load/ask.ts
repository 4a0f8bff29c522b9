// Questions and answers on standing connections, one under way on each; samples are microseconds from the question's
// send call to its whole answer.

import type { EventLoop } from '#anabranch/dataplane/event-loop.js';
import { EPOLLIN } from '#anabranch/ffi/epoll.js';
import { errnoName } from '#anabranch/ffi/linux-error.js';
import { NativeBuffer } from '#anabranch/ffi/native-buffer.js';
import { recv, send } from '#anabranch/ffi/sockets.js';
import { MSG_DONTWAIT, MSG_NOSIGNAL } from '#anabranch/socket/constants.js';
import { Dialled, type Role, type Route } from './dialled.ts';
import type { SharedCounts } from './shared.ts';
import { EAGAIN, MESSAGE_BYTES, Wish } from './wishes.ts';

export class Ask implements Role {
  readonly counts: SharedCounts;
  readonly #question = new NativeBuffer(MESSAGE_BYTES);
  readonly #answer = new NativeBuffer(4096);

  constructor(loop: EventLoop, route: Route, counts: SharedCounts, connections: number) {
    this.counts = counts;
    this.#question.bytes.fill(Wish.echo);
    for (let i = 0; i < connections; i++) new Dialled(loop, route, this);
  }

  onOpen(connection: Dialled): void {
    this.counts.add('opened', 1);
    this.#ask(connection);
  }

  onReady(connection: Dialled, events: number): void {
    if ((events & EPOLLIN) === 0) return;
    const got = recv(connection.fd, this.#answer, 0, 4096, MSG_DONTWAIT);
    if (got === -EAGAIN) return;
    if (got <= 0) return connection.fail(got === 0 ? 'closed by the proxy' : errnoName(-got));
    connection.got += got;
    if (connection.got < MESSAGE_BYTES) return;
    if (this.counts.get('record') === 1) {
      this.counts.addSample((performance.now() - connection.askedAt) * 1000);
      this.counts.add('done', 1);
    }
    this.#ask(connection);
  }

  onFailed(): void {}

  #ask(connection: Dialled): void {
    connection.got = 0;
    connection.askedAt = performance.now();
    const put = send(connection.fd, this.#question, 0, MESSAGE_BYTES, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < MESSAGE_BYTES) connection.fail(`send: ${put < 0 ? errnoName(-put) : 'short write'}`);
  }
}
