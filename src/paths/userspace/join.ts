// One wanted subflow: what is under way, and when to try again. Takes time and chance as values.

import type { Endpoint } from '../../wire/destination.ts';
import type { PortRange } from './desired.ts';

/** A SYN that nobody answers: another one is sent, from another port, long before the kernel would repeat it. */
const ANSWER_MS_MIN = 250;
const ANSWER_MS_MAX = 3_000;
/** After a failure, doubled with each further one. */
const PAUSE_MS_FIRST = 200;
const PAUSE_MS_MAX = 60_000;
const JITTER = 0.1;
/** How often a gateway is asked for, and for how long: then the SYN goes and waits by itself. */
const GATEWAY_EVERY_MS = 10;
const GATEWAY_MS_MAX = 1_000;
/** What has stood for so long was no failure. */
const CALM_MS = 5_000;

export class Join {
  readonly address: string;
  readonly #remote: Endpoint;
  readonly #ports: PortRange | undefined;
  /** When each attempt under way is given up, and what it asked for. Bounded by the subflows wanted, 9 at the most. */
  #attempts: { readonly deadline: number; readonly backup: boolean }[] = [];
  #failures = 0;
  #stoodAt: number | undefined;
  /** Not to be tried again before. */
  notBefore = 0;
  /** Since when it waits for its gateway's link address. */
  #waitsSince: number | undefined;

  constructor({ address, remote, ports }: { address: string; remote: Endpoint; ports: PortRange | undefined }) {
    this.address = address;
    this.#remote = remote;
    this.#ports = ports;
  }

  /** Attempts under way. */
  get pending(): number {
    return this.#attempts.length;
  }

  /** When there is something to do; `undefined`: not before something happens. */
  get nextAt(): number | undefined {
    return this.#waitsSince === undefined ? this.#attempts[0]?.deadline : this.notBefore;
  }

  fits(local: Endpoint, remote: Endpoint): boolean {
    if (local.address !== this.address || remote.address !== this.#remote.address) return false;
    if (remote.port !== this.#remote.port) return false;
    return this.#ports === undefined || (local.port >= this.#ports.from && local.port <= this.#ports.to);
  }

  /** The gateway's link address is not known. Whether to ask again at `notBefore`; else it has been waited for in vain. */
  waits(now: number): boolean {
    this.#waitsSince ??= now;
    if (now - this.#waitsSince >= GATEWAY_MS_MAX) return false;
    this.notBefore = now + GATEWAY_EVERY_MS;
    return true;
  }

  /** `rttMs` is what is known of the path. */
  began(now: number, rttMs: number | undefined, backup: boolean): void {
    const answerMs = Math.min(Math.max(ANSWER_MS_MIN, 3 * (rttMs ?? 0)), ANSWER_MS_MAX);
    this.#waitsSince = undefined;
    this.#attempts.push({ deadline: now + answerMs, backup });
  }

  /** Returns what it asked for: to be spared, or not. */
  stands(now: number): boolean {
    this.#stoodAt = now;
    this.notBefore = 0;
    return this.#attempts.shift()?.backup ?? false;
  }

  /** An attempt was refused. `random` in [0, 1). */
  refused(now: number, random: number): void {
    this.#waitsSince = undefined;
    this.#attempts.shift();
    this.#pause(now, random);
  }

  /** What stood has ended, and not because we wanted it. */
  ended(now: number, random: number): void {
    if (this.#stoodAt !== undefined && now - this.#stoodAt > CALM_MS) this.#failures = 0;
    this.#pause(now, random);
  }

  /** Gives up what is overdue. It may still come to stand; it is one too many then. */
  expire(now: number, random: number): void {
    const left = this.#attempts.filter(({ deadline }) => deadline > now);
    if (left.length === this.#attempts.length) return;
    this.#attempts = left;
    this.#pause(now, random);
  }

  #pause(now: number, random: number): void {
    const ms = Math.min(PAUSE_MS_FIRST * 2 ** Math.min(this.#failures, 16), PAUSE_MS_MAX);
    this.#failures++;
    this.notBefore = now + ms * (1 + JITTER * (2 * random - 1));
  }
}
