// What connections to a peer have taught about congestion control, for the next one to begin with. One for each
// data-plane thread.

import { tryCongestion } from '../../socket/congestion.ts';
import { errnoName } from '../../socket/errno.ts';
import type { Choice } from './congestion-choice.ts';

const PEERS_MAX = 4_096;
const REMEMBERED_MS = 10 * 60_000;
/** How long an answer of the kernel holds: a module may be loaded, an administrator may allow more. */
const ASKED_MS = 60_000;

export interface Lesson extends Choice {
  /** bbr was slower: not again before this time. */
  readonly barredUntil: number;
}

interface Remembered extends Lesson {
  readonly until: number;
}

export class CongestionMemory {
  /** By the peer's address. Bounded by PEERS_MAX, the oldest go first. */
  readonly #lessons = new Map<string, Remembered>();
  #askedAt = -Infinity;
  #refusal: string | undefined;

  recall(peer: string, now: number): Lesson | undefined {
    const lesson = this.#lessons.get(peer);
    if (lesson === undefined || lesson.until > now) return lesson;
    this.#lessons.delete(peer);
    return undefined;
  }

  remember(peer: string, lesson: Lesson, now: number): void {
    this.#lessons.delete(peer);
    this.#lessons.set(peer, { ...lesson, until: Math.max(now + REMEMBERED_MS, lesson.barredUntil) });
    if (this.#lessons.size > PEERS_MAX) {
      const [oldest] = this.#lessons.keys();
      if (oldest !== undefined) this.#lessons.delete(oldest);
    }
  }

  /** Why bbr cannot be had: ENOENT, EPERM, …; `undefined` when it can. */
  refusal(now: number): string | undefined {
    if (now - this.#askedAt >= ASKED_MS) {
      this.#askedAt = now;
      const status = tryCongestion('bbr');
      this.#refusal = status < 0 ? errnoName(-status) : undefined;
    }
    return this.#refusal;
  }
}
