// One path under suspicion: asks a server over it until it is clear whether the path is dead, and then until it lives
// again.

import type { EventLoop } from '../dataplane/event-loop.ts';
import { type Timed, Timer } from '../dataplane/timers.ts';
import type { Endpoint } from '../wire/destination.ts';
import { Probe, type ProbeOwner } from './probe.ts';

export interface SilentPathOwner {
  /** A probe is about to leave. */
  onProbe(isDead: boolean): void;
  /** Nothing has come through: the path is dead until `onAlive`. */
  onDead(): void;
  /** An answer came; `wasDead` as told before. The path is not watched any more. */
  onAlive(wasDead: boolean): void;
}

/** Unanswered, before a path counts as dead: one may be lost by chance. */
const PROBES_UNTIL_DEAD = 2;
/**
 * Between probes of a dead path: a share of the time that it has been silent, so that its return is noticed after two
 * per cent of its absence, and a path that is gone for hours costs next to nothing.
 */
const INTERVAL_SHARE = 0.02;
const INTERVAL_MS_MIN = 100;
const INTERVAL_MS_MAX = 10_000;
const JITTER = 0.1;
/** Under way at once: a probe lives for 1.5 s. */
const PROBES_MAX = 16;

export class SilentPath implements Timed, ProbeOwner {
  readonly #loop: EventLoop;
  readonly #from: string;
  readonly #to: Endpoint;
  readonly #answerMs: number;
  readonly #owner: SilentPathOwner;
  readonly #random: () => number;
  readonly #timer = new Timer(this);
  readonly #since: number;
  /** Bounded by PROBES_MAX; those that are over leave. */
  #probes: Probe[] = [];
  #sent = 0;
  #isDead = false;

  constructor(
    loop: EventLoop,
    { from, to, answerMs }: { readonly from: string; readonly to: Endpoint; readonly answerMs: number },
    owner: SilentPathOwner,
    random: () => number = Math.random,
  ) {
    this.#loop = loop;
    this.#from = from;
    this.#to = to;
    this.#answerMs = answerMs;
    this.#owner = owner;
    this.#random = random;
    this.#since = performance.now();
    this.onTimer();
  }

  /** When the suspicion arose. */
  get since(): number {
    return this.#since;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  onTimer(): void {
    const now = performance.now();
    if (!this.#isDead && this.#sent >= PROBES_UNTIL_DEAD) {
      this.#isDead = true;
      this.#owner.onDead();
    }
    this.#probes = this.#probes.filter((probe) => !probe.isOver);
    if (this.#probes.length < PROBES_MAX) {
      this.#owner.onProbe(this.#isDead);
      this.#probes.push(new Probe(this.#loop, this.#from, this.#to, this));
      this.#sent++;
    }
    // Both probes of the beginning have their answer within the time of one.
    this.#loop.arm(this.#timer, now + (this.#isDead ? this.#nextMs(now) : this.#answerMs / PROBES_UNTIL_DEAD));
  }

  onAnswer(): void {
    this.cancel();
    this.#owner.onAlive(this.#isDead);
  }

  cancel(): void {
    this.#loop.disarm(this.#timer);
    for (const probe of this.#probes) probe.cancel();
    this.#probes = [];
  }

  #nextMs(now: number): number {
    const share = (now - this.#since) * INTERVAL_SHARE;
    const jitter = 1 + JITTER * (2 * this.#random() - 1);
    return Math.min(Math.max(INTERVAL_MS_MIN, share), INTERVAL_MS_MAX) * jitter;
  }
}
