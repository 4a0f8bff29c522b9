// What one direction of a link does to frames, as plain data with every unit fixed. Parsed forms are in quantities.ts.

/** Probabilities from 0 to 1, each per frame. */
export type Loss =
  | { readonly kind: 'none' }
  | { readonly kind: 'random'; readonly probability: number }
  | {
      /** Two states, good and bad; frames are lost with a probability of their own in each (Gilbert, Elliott). */
      readonly kind: 'gilbert-elliott';
      readonly goodToBad: number;
      readonly badToGood: number;
      readonly lossGood: number;
      readonly lossBad: number;
    };

/** Room for frames that wait for the line: in bytes, or in milliseconds at the link's (mean) rate. */
export type QueueLimit = { readonly bytes: number } | { readonly ms: number };

export interface DirectionSettings {
  /** Bits per second, Ethernet headers counted and preamble, checksum and gap not; Infinity: no limit. */
  readonly rate: number;
  /** Mahimahi's format: milliseconds at which one full frame may leave, ascending, repeated from the last one on. */
  readonly trace: readonly number[] | undefined;
  readonly delayMs: number;
  /** The delay varies evenly by up to this much in both directions, never below zero. */
  readonly jitterMs: number;
  /** Whether jitter may change the order of frames. */
  readonly reorder: boolean;
  readonly loss: Loss;
  readonly queue: QueueLimit;
}

export const NO_LOSS: Loss = { kind: 'none' };

/** An unlimited wire. Its queue holds 100 ms of traffic, once a rate is set. */
export const PERFECT: DirectionSettings = {
  rate: Number.POSITIVE_INFINITY,
  trace: undefined,
  delayMs: 0,
  jitterMs: 0,
  reorder: false,
  loss: NO_LOSS,
  queue: { ms: 100 },
};

/** A frame of 1,500 bytes and its Ethernet header: what one line of a trace carries. */
export const TRACE_FRAME_BYTES = 1_514;

/** A queue given in time still holds this much, or a slow link could not carry a window of a few frames. */
const QUEUE_BYTES_MIN = 10 * TRACE_FRAME_BYTES;

/** Mean rate in bits per second. */
export function meanRate({ rate, trace }: DirectionSettings): number {
  if (trace === undefined) return rate;
  const cycleMs = trace.at(-1) ?? 0;
  return cycleMs > 0 ? Math.min(rate, (trace.length * TRACE_FRAME_BYTES * 8_000) / cycleMs) : rate;
}

/** Room of the queue in bytes; Infinity when neither bytes nor a rate limit it. */
export function queueBytes(settings: DirectionSettings): number {
  const { queue } = settings;
  if ('bytes' in queue) return queue.bytes;
  const rate = meanRate(settings);
  // Also for a queue of no time at all, where the product would be no number.
  if (!Number.isFinite(rate)) return rate;
  return Math.max(QUEUE_BYTES_MIN, (rate * queue.ms) / 8_000);
}

/** Mean share of frames that are lost. */
export function meanLoss(loss: Loss): number {
  if (loss.kind === 'none') return 0;
  if (loss.kind === 'random') return loss.probability;
  const { goodToBad, badToGood, lossGood, lossBad } = loss;
  if (goodToBad + badToGood === 0) return lossGood;
  const bad = goodToBad / (goodToBad + badToGood);
  return lossGood * (1 - bad) + lossBad * bad;
}
