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
  readonly since: number;
  /** Bytes per second that came, and that were acknowledged; smoothed. */
  rate: number;
  ackedRate: number;
  /** When a segment came last, and when one that brought something new. */
  heardAt: number;
  progressAt: number;
  /** The longest pause of late between segments: what is ordinary here. Milliseconds. */
  pauseMs: number;
  /** Bytes that moved over the connection's other paths since the last progress. */
  elsewhere: number;
  /** Whether the latest look found something new. */
  fresh: boolean;
}

/** Silence below this is ordinary; above, on a busy path, it is worth two SYNs. */
const SILENCE_MS_MIN = 60;
const SILENCE_MS_MAX = 3_000;
/** Room for a queue on the way of 100 ms, which a SYN waits in as well. */
const ANSWER_MS_MIN = 120;
/** A path with pauses of its own is given half as much again as the longest of late. */
const PAUSE_FACTOR = 1.5;
const PAUSE_MS_MAX = 500;
const PAUSE_HALF_LIFE_MS = 5_000;
/** Segments come and nothing new with them: most likely they are sent again since no acknowledgement gets through. */
const ONE_WAY_FACTOR = 4;
/** What counts as busy, and as the others going on. */
const BUSY_BYTES_PER_S = 16_384;
const ELSEWHERE_BYTES = 16_384;
/** At the earlier rate so many segments would have come: fewer may be missing by chance. */
const SEGMENTS_MISSED = 8;
const SEGMENT_BYTES = 1_400;
/** A subflow that old, in milliseconds and in round trips, has shown how it pauses. */
const KNOWN_MS = 1_000;
const KNOWN_TRIPS = 8;
const ADDRESSES_MAX = 256;
/** Weight of the newest rate. */
const SMOOTHING = 0.3;

export class StallDetector {
  /** By connection and addresses. Bounded by the subflows of the latest list. */
  #tracks = new Map<string, Track>();

  /** When `observe` was called last; undefined: never. */
  #lookedAt: number | undefined;

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
      const track = before.get(key) ?? newTrack(sample, now, this.#lookedAt);
      const bytes = bytesOf(sample) - bytesOf(track.sample);
      add(moved, `${sample.token}`, bytes);
      add(moved, `${sample.token} ${sample.local.address}`, bytes);
      follow(track, sample, bytes, now);
      if (this.#rtts.size >= ADDRESSES_MAX) this.#rtts.clear();
      this.#rtts.set(sample.local.address, sample.rttMs);
      this.#tracks.set(key, track);
    }
    this.#lookedAt = now;
    const suspicions = new Map<string, Suspicion>();
    for (const track of this.#tracks.values()) {
      const { local, remote } = track.sample;
      // What came along with our own last bytes says nothing yet.
      if (!track.fresh) track.elsewhere += elsewhereOf(track.sample, moved);
      if (isSilent(track, now)) {
        suspicions.set(local.address, { address: local.address, remote, answerMs: answerTime(track.sample) });
      }
    }
    return [...suspicions.values()];
  }

  /** When something new came over any subflow from this address; 0: never. */
  progressAt(address: string): number {
    let at = 0;
    for (const { sample, progressAt } of this.#tracks.values()) {
      if (sample.local.address === address && bytesOf(sample) > 0) at = Math.max(at, progressAt);
    }
    return at;
  }

  /** Whether bytes came lately, so that it is worth looking often. */
  isBusy(now: number): boolean {
    for (const { rate, ackedRate, progressAt } of this.#tracks.values()) {
      if (rate + ackedRate > BUSY_BYTES_PER_S && now - progressAt < SILENCE_MS_MAX) return true;
    }
    return false;
  }
}

/** A subflow that was not there at the last look has all its bytes since; of one that may be older nothing is known. */
function newTrack(sample: SubflowProgress, now: number, lookedAt: number | undefined): Track {
  const perSecond = lookedAt === undefined ? 0 : 1_000 / Math.max(1, now - lookedAt);
  return {
    sample,
    since: now,
    rate: sample.bytesReceived * perSecond,
    ackedRate: sample.bytesAcked * perSecond,
    heardAt: now - Math.min(sample.silentMs, SILENCE_MS_MAX),
    progressAt: now,
    pauseMs: 0,
    elsewhere: 0,
    fresh: true,
  };
}

/** Brings a track up to the sample; `bytes`: new since the one before. */
function follow(track: Track, sample: SubflowProgress, bytes: number, now: number): void {
  if (sample.segmentsIn !== track.sample.segmentsIn) {
    // The kernel says how long ago the last segment came: better than the moment at which we looked.
    const at = Math.max(track.heardAt, now - sample.silentMs);
    const kept = track.pauseMs * 0.5 ** ((at - track.heardAt) / PAUSE_HALF_LIFE_MS);
    // Only while the others went on: when nobody has anything to send, a pause says nothing.
    const pause = track.elsewhere >= ELSEWHERE_BYTES ? at - track.heardAt : 0;
    track.pauseMs = Math.max(kept, Math.min(pause, PAUSE_MS_MAX));
    track.heardAt = at;
  }
  if (bytes > 0) {
    const took = Math.max(1, now - track.progressAt) / 1_000;
    const acked = sample.bytesAcked - track.sample.bytesAcked;
    track.rate += ((bytes - acked) / took - track.rate) * SMOOTHING;
    track.ackedRate += (acked / took - track.ackedRate) * SMOOTHING;
    track.progressAt = track.heardAt;
    track.elsewhere = 0;
  }
  track.fresh = bytes > 0;
  track.sample = sample;
}

function bytesOf({ bytesReceived, bytesAcked }: SubflowProgress): number {
  return bytesReceived + bytesAcked;
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

/** As TCP reckons its retransmission timeout (RFC 6298 §2.3), without its floor. */
function answerTime({ rttMs, rttVarianceMs }: SubflowProgress): number {
  return Math.min(Math.max(ANSWER_MS_MIN, rttMs + 4 * rttVarianceMs), SILENCE_MS_MAX);
}

/** A sender that has filled its window pauses for a round trip; whether this one does is seen after some of them. */
function ordinaryPause({ sample, since, heardAt, pauseMs }: Track): number {
  const { rttMs, rttVarianceMs } = sample;
  const trip = heardAt - since >= Math.max(KNOWN_MS, KNOWN_TRIPS * rttMs) ? 0 : rttMs + 2 * rttVarianceMs;
  return Math.min(Math.max(SILENCE_MS_MIN, trip, PAUSE_FACTOR * pauseMs), SILENCE_MS_MAX);
}

function isSilent(track: Track, now: number): boolean {
  const { sample, heardAt, progressAt, elsewhere } = track;
  const ordinary = ordinaryPause(track);
  const isOneWay = now - progressAt >= ONE_WAY_FACTOR * ordinary;
  if (now - heardAt < ordinary && !isOneWay) return false;
  // We wait for acknowledgements, and have sent again.
  if (sample.unacked > 0 && sample.timeouts > 0 && now - progressAt >= answerTime(sample)) return true;
  // The peer sent over this path, or acknowledged what we sent and has more to acknowledge, and goes on over the others
  // only.
  const rate = track.rate + (sample.unacked > 0 ? track.ackedRate : 0);
  const missed = (rate * (now - progressAt)) / 1_000 / SEGMENT_BYTES;
  return rate >= BUSY_BYTES_PER_S && missed >= SEGMENTS_MISSED && elsewhere >= ELSEWHERE_BYTES;
}
