// Looks at how the connections of one data-plane thread send, ten times a second, so that they can be tuned.

import type { EventLoop } from '../../dataplane/event-loop.ts';
import { type Timed, Timer } from '../../dataplane/timers.ts';

const EVERY_MS = 100;
/** Connections asked in one turn, some 10 µs each; with more of them that send, each is looked at less often. */
const LOOKS_MOST = 256;

export interface Tunable {
  /** Looks at what the kernel says of its sides, if they are tuned and have sent; returns how many it asked. */
  tune(now: number): number;
}

export class SendWatch implements Timed {
  readonly #loop: EventLoop;
  readonly #flows: Iterable<Tunable>;
  readonly #timer = new Timer(this);
  /** Looked at already in this round; weak, so that it keeps none of them. */
  #done = new WeakSet<Tunable>();

  constructor(loop: EventLoop, flows: Iterable<Tunable>) {
    this.#loop = loop;
    this.#flows = flows;
  }

  start(): void {
    this.#loop.arm(this.#timer, this.#loop.now + EVERY_MS);
  }

  onTimer(now: number): void {
    this.start();
    let left = LOOKS_MOST;
    for (const flow of this.#flows) {
      if (this.#done.has(flow)) continue;
      if (left <= 0) return;
      const looks = flow.tune(now);
      if (looks === 0) continue;
      left -= looks;
      this.#done.add(flow);
    }
    this.#done = new WeakSet();
  }
}
