// The last minutes of every path, second by second, so that a page that comes late, or comes back, sees them too.

import type { EventView, PathReading } from './source.ts';

/** One second. Rates in bytes per second. */
export interface Tick {
  readonly at: number;
  readonly paths: readonly {
    readonly name: string;
    readonly state: string;
    readonly in: number;
    readonly out: number;
  }[];
}

const TICKS_MAX = 300;
const EVENTS_MAX = 500;
const PATHS_MAX = 64;

/** Bounded by TICKS_MAX seconds of PATHS_MAX paths, and EVENTS_MAX events. */
export class History {
  readonly ticks: Tick[] = [];
  readonly events: EventView[] = [];
  #before = new Map<string, PathReading>();
  #beforeAt = 0;

  /** Takes the readings of now; returns the second they end. Changes of state become events. */
  add(readings: readonly PathReading[], now: number): Tick {
    const seconds = Math.max((now - this.#beforeAt) / 1000, 0.001);
    const paths = readings.slice(0, PATHS_MAX).map((reading) => {
      const before = this.#before.get(reading.name);
      this.#compare(before, reading, now);
      // A counter that has gone back belongs to an interface that was made anew.
      const rate = (key: 'bytesIn' | 'bytesOut') =>
        before === undefined || reading[key] < before[key] ? 0 : (reading[key] - before[key]) / seconds;
      return { name: reading.name, state: reading.state, in: rate('bytesIn'), out: rate('bytesOut') };
    });
    for (const name of this.#before.keys()) {
      if (!readings.some((reading) => reading.name === name))
        this.note({ at: now, kind: 'path', text: `${name} is gone` });
    }
    this.#before = new Map(readings.map((reading) => [reading.name, reading]));
    this.#beforeAt = now;
    const tick = { at: now, paths };
    this.ticks.push(tick);
    if (this.ticks.length > TICKS_MAX) this.ticks.shift();
    return tick;
  }

  note(event: EventView): void {
    this.events.push(event);
    if (this.events.length > EVENTS_MAX) this.events.shift();
  }

  #compare(before: PathReading | undefined, reading: PathReading, at: number): void {
    if (before === undefined && this.#beforeAt === 0) return;
    const words = { up: 'is up', 'no-carrier': 'has lost its link', down: 'is switched off' };
    if (before?.state !== reading.state)
      this.note({ at, kind: 'path', text: `${reading.name} ${words[reading.state]}` });
    const gone = before?.addresses.filter((address) => !reading.addresses.includes(address)) ?? [];
    const fresh = reading.addresses.filter((address) => before?.addresses.includes(address) === false);
    for (const address of gone) this.note({ at, kind: 'path', text: `${reading.name} has lost ${address}` });
    for (const address of fresh) this.note({ at, kind: 'path', text: `${reading.name} has got ${address}` });
  }
}
