// One connection after the other, with pauses between its steps, for whoever watches the packets: open, one byte to the
// server and back, close.

import type { EventLoop } from '#anabranch/dataplane/event-loop.js';
import { type Timed, Timer } from '#anabranch/dataplane/timers.js';
import { EPOLLIN } from '#anabranch/ffi/epoll.js';
import { errnoName } from '#anabranch/ffi/linux-error.js';
import { NativeBuffer } from '#anabranch/ffi/native-buffer.js';
import { recv, send } from '#anabranch/ffi/sockets.js';
import { MSG_DONTWAIT, MSG_NOSIGNAL } from '#anabranch/socket/constants.js';
import { Dialled, type Role, type Route } from './dialled.ts';
import type { SharedCounts } from './shared.ts';
import { EAGAIN, Wish } from './wishes.ts';

/** Long enough for every peer to have its upstream connection standing and its event loop asleep again. */
const PAUSE_MS = 4;

export class Probe implements Role, Timed {
  readonly counts: SharedCounts;
  readonly #loop: EventLoop;
  readonly #route: Route;
  readonly #timer = new Timer(this);
  readonly #buffer = new NativeBuffer(64);
  #connection: Dialled | undefined;
  #answered = false;

  constructor(loop: EventLoop, route: Route, counts: SharedCounts) {
    this.#loop = loop;
    this.#route = route;
    this.counts = counts;
    this.#pause();
  }

  onOpen(): void {
    this.counts.add('opened', 1);
    this.#pause();
  }

  onReady(connection: Dialled, events: number): void {
    if ((events & EPOLLIN) === 0) return;
    const got = recv(connection.fd, this.#buffer, 0, 64, MSG_DONTWAIT);
    if (got === -EAGAIN) return;
    if (got <= 0) return connection.fail(got === 0 ? 'closed by the proxy' : errnoName(-got));
    this.#answered = true;
    this.#pause();
  }

  onFailed(): void {
    this.#connection = undefined;
    this.#answered = false;
    this.#pause();
  }

  /** The next step: dial, or ask, or close. */
  onTimer(): void {
    const connection = this.#connection;
    if (connection === undefined) {
      this.#connection = new Dialled(this.#loop, this.#route, this);
      return;
    }
    if (!this.#answered) {
      this.#buffer.bytes[0] = Wish.echo;
      const put = send(connection.fd, this.#buffer, 0, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (put < 1) connection.fail(`send: ${errnoName(-put)}`);
      return;
    }
    connection.close();
    this.#connection = undefined;
    this.#answered = false;
    this.counts.add('done', 1);
    this.#pause();
  }

  #pause(): void {
    this.#loop.arm(this.#timer, performance.now() + PAUSE_MS);
  }
}
