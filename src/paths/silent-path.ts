// One path under suspicion: asks a server over it until it is clear whether the path is dead, and then until it lives
// again.

import type { EventLoop } from '../dataplane/event-loop.ts';
import { type Timed, Timer } from '../dataplane/timers.ts';
import type { Endpoint } from '../wire/destination.ts';
import { Probe, type ProbeOwner } from './probe.ts';

export interface SilentPathOwner {
  /** Nothing has come through: the path is dead until `onAlive`. */
  onDead(): void;
  /** An answer came; `wasDead` as told before. The path is not watched any more. */
  onAlive(wasDead: boolean): void;
}

/** Unanswered in a row, before a path counts as dead. */
const PROBES_UNTIL_DEAD = 2;
/** Between probes of a dead path: at first often, for a path that is gone for seconds returns in seconds. */
const EARLY_MS = 200;
const EARLY_LASTS_MS = 60_000;
const GROWTH = 1.3;
const LATE_MS_MAX = 10_000;
const JITTER = 0.1;
/** Bounded so: the intervals grow, and a probe lives for 2.5 s. */
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
  #intervalMs = EARLY_MS;

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
      this.#probes.push(new Probe(this.#loop, this.#from, this.#to, this));
      this.#sent++;
    }
    this.#loop.arm(this.#timer, now + (this.#isDead ? this.#nextMs(now) : this.#answerMs));
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
    if (now - this.#since > EARLY_LASTS_MS) this.#intervalMs = Math.min(this.#intervalMs * GROWTH, LATE_MS_MAX);
    return this.#intervalMs * (1 + JITTER * (2 * this.#random() - 1));
  }
}
