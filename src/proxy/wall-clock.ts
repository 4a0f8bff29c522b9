// What the clock on this machine's wall shows, and the turn of its minutes: rules may hold at certain times of the week.

import type { EventLoop } from '../dataplane/event-loop.ts';
import { type Timed, Timer } from '../dataplane/timers.ts';
import { DAY_MINUTES } from '../routing/week-time.ts';

const MINUTE_MS = 60_000;

/** Minutes since Monday 00:00 in the machine's time zone. `now`: milliseconds since 1970. */
export function minuteOfWeek(now: number): number {
  const date = new Date(now);
  // Sunday is 0 there.
  const day = (date.getDay() + 6) % 7;
  return day * DAY_MINUTES + date.getHours() * 60 + date.getMinutes();
}

/** `undefined`: it changes with no time. */
export type PhaseAt = (now: number) => string | undefined;

/**
 * Tells when the phase has become another one. It looks as each minute of the wall clock begins, and not only at the
 * next boundary: so it needs no thought of clocks that are set, time zones that change theirs, and sleeping machines,
 * and is right again within a minute. Where no rule asks for the time, it does not look at all.
 */
export class PhaseWatch implements Timed {
  readonly #loop: Pick<EventLoop, 'now' | 'arm' | 'disarm'>;
  readonly #clock: () => number;
  readonly #onChange: () => void;
  readonly #timer = new Timer(this);
  #phaseAt: PhaseAt = () => undefined;
  #phase: string | undefined;

  /** `clock`: milliseconds since 1970, may jump. */
  constructor(loop: Pick<EventLoop, 'now' | 'arm' | 'disarm'>, clock: () => number, onChange: () => void) {
    this.#loop = loop;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** Other rules; the caller knows of the change. */
  watch(phaseAt: PhaseAt): void {
    this.#phaseAt = phaseAt;
    this.#look();
  }

  stop(): void {
    this.#loop.disarm(this.#timer);
  }

  onTimer(): void {
    const before = this.#phase;
    this.#look();
    if (this.#phase !== before) this.#onChange();
  }

  #look(): void {
    const now = this.#clock();
    this.#phase = this.#phaseAt(now);
    if (this.#phase === undefined) return this.stop();
    this.#loop.arm(this.#timer, this.#loop.now + MINUTE_MS - (now % MINUTE_MS));
  }
}
