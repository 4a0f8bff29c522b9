// The event loop of one data-plane thread: epoll, timers, and work put off for fairness. It never returns to Node's own
// loop while it runs; other threads reach it through an eventfd.

import { close, drainEventfd, openEventfd, signalEventfd } from '../ffi/descriptors.ts';
import { EPOLLIN, Epoll } from '../ffi/epoll.ts';
import { type Timer, TimerHeap } from './timers.ts';

/** Whoever is told that a descriptor is ready; `events` is the epoll mask. */
export interface Watcher {
  onReady(events: number): void;
}

/** Work that used up its share of a round and goes on in the next. */
export interface Deferred {
  resume(): void;
}

const EVENTS_PER_WAIT = 512;

/** A wait is never longer than this, so that a clock jump or a lost wake-up cannot hang the thread. */
const WAIT_MS_MAX = 1_000;

export class EventLoop {
  /** Monotonic milliseconds, read once a round. */
  now = performance.now();
  /** Longest time one round kept the others waiting, in milliseconds, since last taken. */
  lagMsMax = 0;
  /**
   * Whoever wakes this thread from another one closes it, once this one has ended (see `Mailbox`): closed here, its
   * number could be a client's by the time the other thread writes to it.
   */
  readonly wakeFd: number;
  readonly #epoll = new Epoll(EVENTS_PER_WAIT);
  readonly #timers = new TimerHeap();
  /** Bounded by the number of open descriptors. */
  readonly #watchers: (Watcher | undefined)[] = [];
  readonly #tags: number[] = [];
  /** Bounded by the number of relays: each puts itself in once. */
  #deferred: Deferred[] = [];
  #nextTag = 1;
  #running = true;
  readonly #onWake: () => void;

  /** `onWake` runs on this thread whenever `wakeFd` was signalled, and at least once in a second without events. */
  constructor(onWake: () => void) {
    this.#onWake = onWake;
    this.wakeFd = openEventfd();
    this.watch(this.wakeFd, EPOLLIN, { onReady: () => drainEventfd(this.wakeFd) });
  }

  /** Begins to watch; returns 0 or −errno. */
  watch(fd: number, events: number, watcher: Watcher): number {
    const tag = this.#nextTag++ >>> 0;
    const status = this.#epoll.add(fd, events, tag);
    if (status < 0) return status;
    this.#watchers[fd] = watcher;
    this.#tags[fd] = tag;
    return 0;
  }

  /** Changes what is watched for; 0 pauses. */
  change(fd: number, events: number): void {
    this.#epoll.modify(fd, events, this.#tags[fd] ?? 0);
  }

  /** Call just before closing: late events of this round are then dropped. */
  forget(fd: number): void {
    this.#watchers[fd] = undefined;
    this.#tags[fd] = 0;
  }

  /** Stops watching a descriptor that stays open, as when it goes to another thread. */
  unwatch(fd: number): void {
    this.#epoll.remove(fd);
    this.forget(fd);
  }

  defer(work: Deferred): void {
    this.#deferred.push(work);
  }

  arm(timer: Timer, deadline: number): void {
    this.#timers.arm(timer, deadline);
  }

  disarm(timer: Timer): void {
    this.#timers.disarm(timer);
  }

  /** Lets `onWake` run again in the next round. */
  wake(): void {
    signalEventfd(this.wakeFd);
  }

  stop(): void {
    this.#running = false;
  }

  /** Runs until `stop`. Rethrows nothing of its own; what a watcher throws is a programming error and ends the thread. */
  run(): void {
    this.#onWake();
    while (this.#running) this.#round();
    close(this.#epoll.fd);
  }

  #round(): void {
    const epoll = this.#epoll;
    const until = this.#deferred.length > 0 ? 0 : this.#timers.untilNext(performance.now());
    const ready = epoll.wait(until < 0 || until > WAIT_MS_MAX ? WAIT_MS_MAX : until);
    this.now = performance.now();
    let woken = ready === 0;
    for (let i = 0; i < ready; i++) {
      const fd = epoll.fdAt(i);
      if (fd === this.wakeFd) woken = true;
      const watcher = this.#watchers[fd];
      if (watcher !== undefined && this.#tags[fd] === epoll.tagAt(i)) watcher.onReady(epoll.eventsAt(i));
    }
    if (this.#deferred.length > 0) {
      const work = this.#deferred;
      this.#deferred = [];
      for (const one of work) one.resume();
    }
    this.#timers.expire(this.now);
    if (woken) this.#onWake();
    const took = performance.now() - this.now;
    if (took > this.lagMsMax) this.lagMsMax = took;
  }
}
