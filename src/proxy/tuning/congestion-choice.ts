// Which congestion control suits a connection: cubic, or bbr over paths that lose packets without being full. Pure:
// readings of its subflows in, a choice with its reason out.
//
// cubic takes every loss for a full queue. Over a path that loses 1 % at 100 ms it carries 1.4 Mbit/s, whatever the link
// could carry; bbr asks what comes through instead. But bbr leaves 3 % of a clean link unused (it drains its queue every
// ten seconds to measure), takes more than its share beside others, and under MPTCP collapses on fast clean links. So
// cubic is the rule, and bbr needs evidence: losses while the round trip is as short as it ever was, at a rate that cubic
// cannot make up for. Whether it was right is measured afterwards.

import type { SendReading } from '../../socket/send-reading.ts';

export type Congestion = 'cubic' | 'bbr';

export interface Choice {
  readonly congestion: Congestion;
  /** For people; figures included. */
  readonly why: string;
}

/** A round trip up to this much longer than the shortest one tells of no queue: a quarter and 4 ms. */
const CALM_SHARE = 1.25;
const CALM_US = 4_000;
/** Losses within this time after a queue are put down to it: recovery takes some round trips. */
export const QUEUE_BLAMED_MS = 1_000;
const QUEUE_BLAMED_ROUND_TRIPS = 5;
/** Evidence halves in this time. */
const HALF_LIFE_MS = 10_000;
/** Turns with losses, and segments sent, before they count. */
const LOSSY_TURNS_MIN = 3;
const SEGMENTS_MIN = 64;
/** Where cubic may reach so much in spite of the losses, bits per second, it is left at that. */
const CUBIC_SUFFICES = 100e6;
/** And beyond this it is gone back to. */
const CUBIC_SUFFICES_AGAIN = 400e6;
/** To go back for want of losses: so much time under bbr, and so many bytes. */
const CLEAN_MS = 60_000;
const CLEAN_BYTES = 20e6;
/** The rate under bbr is measured after this time, for so long, and must reach this share of cubic's. */
const SETTLED_MS = 3_000;
const MEASURED_MS = 4_000;
const SHARE_MIN = 0.8;
/** A turn counts for the rate when data was under way nearly all of it: else the sender was what limited it. */
const BUSY_SHARE = 0.9;
/** How long bbr is not tried again where it was slower, the first time; twice as long each further time. */
export const BARRED_MS = 10 * 60_000;

/**
 * What cubic reaches with random losses, bits per second: the larger of its own mean window and of that of a
 * TCP-friendly one (RFC 9438, sections 4.3 and 5.1; C = 0.4, β = 0.7).
 */
export function cubicRate(lossShare: number, rttSeconds: number, segmentBytes: number): number {
  if (lossShare <= 0 || rttSeconds <= 0) return Infinity;
  const own = 1.054 * (rttSeconds / lossShare) ** 0.75;
  const friendly = Math.sqrt(1.5 / lossShare);
  return (Math.max(own, friendly) * segmentBytes * 8) / rttSeconds;
}

/** What one subflow lost while no queue was seen, of late. */
class CalmLosses {
  #last: SendReading;
  #lastAt: number;
  #queueAt = -Infinity;
  #sent = 0;
  #lost = 0;
  #lossyTurns = 0;

  constructor(now: number, first: SendReading) {
    this.#last = first;
    this.#lastAt = now;
    if (!isCalm(first)) this.#queueAt = now;
  }

  /** Returns what has been acknowledged since, and whether it was busy all the time. */
  add(now: number, reading: SendReading): { readonly acked: number; readonly busy: boolean } {
    const before = this.#last;
    const elapsed = now - this.#lastAt;
    const acked = reading.bytesAcked - before.bytesAcked;
    const busy = reading.busyUs - before.busyUs >= elapsed * 1000 * BUSY_SHARE;
    const sent = reading.bytesSent - before.bytesSent;
    const lost = reading.bytesRetransmitted - before.bytesRetransmitted;
    this.#last = reading;
    this.#lastAt = now;
    const rest = 0.5 ** (elapsed / HALF_LIFE_MS);
    this.#sent *= rest;
    this.#lost *= rest;
    this.#lossyTurns *= rest;
    if (!isCalm(reading)) this.#queueAt = now;
    const blamed = Math.max(QUEUE_BLAMED_MS, (QUEUE_BLAMED_ROUND_TRIPS * reading.rttUs) / 1000);
    // Nothing new acknowledged, or nothing new sent: a path that has died, not one that loses a little.
    if (now - this.#queueAt >= blamed && acked > 0 && sent > lost) {
      this.#sent += sent;
      this.#lost += lost;
      if (lost > 0) this.#lossyTurns++;
    }
    return { acked, busy };
  }

  /** bbr builds no queue to speak of, so under it every loss counts; here as before only those of calm turns do. */
  get cubicReaches(): number {
    const { rttUs, segmentBytes } = this.#last;
    return cubicRate(this.#share, rttUs / 1e6, segmentBytes);
  }

  get isEvidence(): boolean {
    return this.#lossyTurns >= LOSSY_TURNS_MIN && this.#sent >= SEGMENTS_MIN * this.#last.segmentBytes;
  }

  get why(): string {
    const percent = Number((this.#share * 100).toPrecision(2));
    const rtt = (this.#last.rttUs / 1000).toFixed(0);
    return `${percent} % lost at ${rtt} ms without a queue: cubic would reach ${megabits(this.cubicReaches)}`;
  }

  get #share(): number {
    return this.#sent === 0 ? 0 : this.#lost / this.#sent;
  }
}

/** Bytes and time of network-bound turns. */
class Rate {
  #bytes = 0;
  ms = 0;

  add(bytes: number, ms: number, halfLifeMs = Infinity): void {
    const rest = 0.5 ** (ms / halfLifeMs);
    this.#bytes = this.#bytes * rest + bytes;
    this.ms = this.ms * rest + ms;
  }

  get bitsPerSecond(): number {
    return this.ms === 0 ? 0 : (this.#bytes * 8000) / this.ms;
  }
}

/** Of one connection. Times are milliseconds of any clock that does not go back. */
export class CongestionChoice {
  #congestion: Congestion;
  /** Bounded by the subflows a connection has at a time. */
  #subflows = new Map<number, CalmLosses>();
  #lastAt = 0;
  #since: number;
  #barredUntil = -Infinity;
  #barredMs = BARRED_MS;
  #rate = new Rate();
  /** What cubic reached before bbr took over; `undefined`: not known, or compared already. */
  #toBeat: number | undefined;
  #bytes = 0;

  constructor(now: number, congestion: Congestion = 'cubic', barredUntil = -Infinity) {
    this.#congestion = congestion;
    this.#since = now;
    this.#barredUntil = barredUntil;
  }

  /** Call a few times a second while bytes flow. Returns a choice when it is another one than before. */
  observe(now: number, readings: readonly SendReading[]): Choice | undefined {
    const elapsed = now - this.#lastAt;
    this.#lastAt = now;
    const known = this.#subflows;
    this.#subflows = new Map();
    let acked = 0;
    let busy = false;
    for (const reading of readings) {
      const losses = known.get(reading.id);
      this.#subflows.set(reading.id, losses ?? new CalmLosses(now, reading));
      const turn = losses?.add(now, reading);
      acked += turn?.acked ?? 0;
      busy ||= turn?.busy === true;
    }
    if (known.size === 0) return undefined;
    this.#bytes += acked;
    return this.#congestion === 'cubic'
      ? this.#underCubic(now, elapsed, acked, busy)
      : this.#underBbr(now, elapsed, acked, busy);
  }

  /** bbr cannot be had, or is not wanted for a while. */
  bar(now: number): void {
    this.#barredUntil = now + this.#barredMs;
    this.#congestion = 'cubic';
  }

  /** Until when bbr is barred; for the next connection to the same peer. */
  get barredUntil(): number {
    return this.#barredUntil;
  }

  #underCubic(now: number, elapsed: number, acked: number, busy: boolean): Choice | undefined {
    if (busy) this.#rate.add(acked, elapsed, HALF_LIFE_MS);
    if (now < this.#barredUntil) return undefined;
    let worst: CalmLosses | undefined;
    for (const losses of this.#subflows.values()) {
      if (!losses.isEvidence || losses.cubicReaches >= CUBIC_SUFFICES) continue;
      if (worst === undefined || losses.cubicReaches < worst.cubicReaches) worst = losses;
    }
    if (worst === undefined) return undefined;
    const toBeat = this.#rate.ms >= QUEUE_BLAMED_MS ? this.#rate.bitsPerSecond : undefined;
    return this.#turnTo(now, { congestion: 'bbr', why: worst.why }, toBeat);
  }

  #underBbr(now: number, elapsed: number, acked: number, busy: boolean): Choice | undefined {
    const passed = now - this.#since;
    const toBeat = this.#toBeat;
    if (toBeat !== undefined && busy && passed >= SETTLED_MS) {
      this.#rate.add(acked, elapsed);
      if (this.#rate.ms >= MEASURED_MS) {
        this.#toBeat = undefined;
        const got = this.#rate.bitsPerSecond;
        if (got < toBeat * SHARE_MIN) {
          this.bar(now);
          this.#barredMs *= 2;
          const why = `bbr reached ${megabits(got)} where cubic had ${megabits(toBeat)}`;
          return this.#turnTo(now, { congestion: 'cubic', why }, undefined);
        }
      }
    }
    if (passed < CLEAN_MS || this.#bytes < CLEAN_BYTES) return undefined;
    const suffices = [...this.#subflows.values()].every(({ cubicReaches }) => cubicReaches >= CUBIC_SUFFICES_AGAIN);
    if (!suffices) return undefined;
    return this.#turnTo(
      now,
      { congestion: 'cubic', why: 'no losses of late that cubic would not make up for' },
      undefined,
    );
  }

  #turnTo(now: number, choice: Choice, toBeat: number | undefined): Choice {
    this.#congestion = choice.congestion;
    this.#since = now;
    this.#bytes = 0;
    this.#rate = new Rate();
    this.#toBeat = toBeat;
    return choice;
  }
}

/** No queue to be seen on the way. */
export function isCalm({ rttUs, minRttUs }: Pick<SendReading, 'rttUs' | 'minRttUs'>): boolean {
  return rttUs > 0 && minRttUs > 0 && rttUs <= minRttUs * CALM_SHARE + CALM_US;
}

function megabits(bitsPerSecond: number): string {
  return `${Number((bitsPerSecond / 1e6).toPrecision(2))} Mbit/s`;
}
