// Finds paths that fell silent without anybody having said so: subflows that carried bytes, or have some on the way, and
// from which nothing comes any more. A suspicion only; a probe makes sure. Takes time as a value.

import type { SubflowProgress } from '../wire/subflow-dump.ts';

export interface Suspicion {
  /** Local address of the silent subflow, and the server it talked to. */
  readonly address: string;
  readonly remote: SubflowProgress['remote'];
  /** How long an answer over this path may take, in milliseconds. */
  readonly answerMs: number;
}

interface Track {
  sample: SubflowProgress;
  /** Received bytes per second, smoothed, when something came last. */
  rate: number;
  progressAt: number;
  /** Bytes that came over the connection's other paths since then. */
  elsewhere: number;
}

/** Silence below this is ordinary. */
const SILENCE_MS_MIN = 150;
const SILENCE_MS_MAX = 3_000;
/** What counts as busy, and as the others going on. */
const BUSY_BYTES_PER_S = 16_384;
const ELSEWHERE_BYTES = 16_384;
/** At the earlier rate so many segments would have come: fewer may be missing by chance. */
const SEGMENTS_MISSED = 8;
const SEGMENT_BYTES = 1_400;
const ADDRESSES_MAX = 256;
/** Weight of the newest rate. */
const SMOOTHING = 0.3;

export class StallDetector {
  /** By connection and addresses. Bounded by the subflows of the latest list. */
  #tracks = new Map<string, Track>();

  /** Round trip by local address, as last seen. Bounded by ADDRESSES_MAX. */
  readonly #rtts = new Map<string, number>();

  /** What is known of a path's round trip, in milliseconds; 0 for nothing. */
  rttMs(address: string): number {
    return this.#rtts.get(address) ?? 0;
  }

  /** Takes a list of all subflows; returns one suspicion for each silent local address at the most. */
  observe(subflows: readonly SubflowProgress[], now: number): Suspicion[] {
    const before = this.#tracks;
    this.#tracks = new Map();
    const moved = new Map<string, number>();
    for (const sample of subflows) {
      // Whoever accepted a connection cannot open its subflows anew.
      if (!sample.initiated) continue;
      const key = keyOf(sample);
      const track = before.get(key) ?? { sample, rate: 0, progressAt: now, elsewhere: 0 };
      const bytes = sample.bytesReceived - track.sample.bytesReceived;
      add(moved, `${sample.token}`, bytes);
      add(moved, `${sample.token} ${sample.local.address}`, bytes);
      if (sample.segmentsIn !== track.sample.segmentsIn) {
        const rate = (bytes * 1_000) / Math.max(1, now - track.progressAt);
        track.rate += (rate - track.rate) * SMOOTHING;
        track.progressAt = now;
        track.elsewhere = 0;
      }
      track.sample = sample;
      if (this.#rtts.size >= ADDRESSES_MAX) this.#rtts.clear();
      this.#rtts.set(sample.local.address, sample.rttMs);
      this.#tracks.set(key, track);
    }
    const suspicions = new Map<string, Suspicion>();
    for (const track of this.#tracks.values()) {
      const { local, remote } = track.sample;
      // What came along with our own last bytes says nothing yet.
      if (track.progressAt !== now) track.elsewhere += elsewhereOf(track.sample, moved);
      const answerMs = answerTime(track.sample);
      if (isSilent(track, now, answerMs)) suspicions.set(local.address, { address: local.address, remote, answerMs });
    }
    return [...suspicions.values()];
  }

  /** Whether bytes came lately, so that it is worth looking often. */
  isBusy(now: number): boolean {
    for (const { rate, progressAt } of this.#tracks.values()) {
      if (rate > BUSY_BYTES_PER_S && now - progressAt < SILENCE_MS_MAX) return true;
    }
    return false;
  }
}

function keyOf({ token, local, remote }: SubflowProgress): string {
  return `${token} ${local.address} ${local.port} ${remote.address} ${remote.port}`;
}

function add(sums: Map<string, number>, key: string, bytes: number): void {
  sums.set(key, (sums.get(key) ?? 0) + bytes);
}

function elsewhereOf({ token, local }: SubflowProgress, moved: ReadonlyMap<string, number>): number {
  return (moved.get(`${token}`) ?? 0) - (moved.get(`${token} ${local.address}`) ?? 0);
}

/** As TCP reckons its retransmission timeout (RFC 6298 §2.3), without the floor. */
function answerTime({ rttMs, rttVarianceMs }: SubflowProgress): number {
  return Math.min(Math.max(SILENCE_MS_MIN, rttMs + 4 * rttVarianceMs), SILENCE_MS_MAX);
}

function isSilent({ sample, rate, progressAt, elsewhere }: Track, now: number, answerMs: number): boolean {
  if (now - progressAt < answerMs) return false;
  // We wait for acknowledgements, and have sent again.
  if (sample.unacked > 0 && sample.timeouts > 0 && sample.lastAckMs >= answerMs) return true;
  // The peer sent over this path, and goes on sending over the others only.
  const missed = (rate * (now - progressAt)) / 1_000 / SEGMENT_BYTES;
  return rate >= BUSY_BYTES_PER_S && missed >= SEGMENTS_MISSED && elsewhere >= ELSEWHERE_BYTES;
}
