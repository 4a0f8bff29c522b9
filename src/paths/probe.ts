// Asks over one path whether a server still answers: a TCP connection from the path's address, closed as soon as it
// stands. A refusal is an answer too.

import type { EventLoop, Watcher } from '../dataplane/event-loop.ts';
import { type Timed, Timer } from '../dataplane/timers.ts';
import { closeSocket } from '../socket/close.ts';
import { beginConnect } from '../socket/connect.ts';
import { resetOnClose, takeError } from '../socket/options.ts';
import type { Endpoint } from '../wire/destination.ts';

const ECONNREFUSED = 111;
/** EPOLLOUT, EPOLLERR and EPOLLHUP of epoll_ctl(2). */
const SETTLED = 0x4 | 0x8 | 0x10;
/** No path is so slow; the kernel sends the SYN once more in that time. */
const LIFE_MS = 1_500;

export interface ProbeOwner {
  onAnswer(): void;
}

/** One attempt; it ends itself after LIFE_MS at the latest. */
export class Probe implements Watcher, Timed {
  readonly #loop: EventLoop;
  readonly #owner: ProbeOwner;
  readonly #timer = new Timer(this);
  #fd = -1;

  constructor(loop: EventLoop, from: string, to: Endpoint, owner: ProbeOwner) {
    this.#loop = loop;
    this.#owner = owner;
    try {
      this.#fd = beginConnect(to.address, to.port, {
        mptcp: false,
        sourceAddress: [from],
        socket: {},
        fastOpen: false,
      });
    } catch {
      // The address has just gone, or there is a shortage: no answer.
      return;
    }
    if (this.#fd < 0) return;
    if (loop.watch(this.#fd, SETTLED, this) < 0) this.cancel();
    else loop.arm(this.#timer, performance.now() + LIFE_MS);
  }

  get isOver(): boolean {
    return this.#fd < 0;
  }

  onReady(): void {
    const errno = takeError(this.#fd);
    if (errno === 0) resetOnClose(this.#fd);
    this.cancel();
    if (errno === 0 || errno === ECONNREFUSED) this.#owner.onAnswer();
  }

  onTimer(): void {
    this.cancel();
  }

  cancel(): void {
    if (this.#fd < 0) return;
    this.#loop.disarm(this.#timer);
    this.#loop.forget(this.#fd);
    closeSocket(this.#fd);
    this.#fd = -1;
  }
}
