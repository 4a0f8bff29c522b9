// Sees to it that connections take a new endpoint up. The kernel tries once, when the endpoint comes, and gives up when
// the SYN is lost for good or refused: then the endpoint is put in again, with growing pauses.

import { type Path, pathKey } from './path.ts';

interface Watched {
  /** When to look. */
  dueAt: number;
  /** Until the look after that. */
  waitMs: number;
  attempts: number;
}

export type JoinStep = 'again' | 'ask';

const WAIT_MS_FIRST = 200;
const WAIT_MS_MAX = 60_000;
/** Tried again at once so often; then a probe shall say first whether anything comes through. */
const BLIND_ATTEMPTS = 3;
const JITTER = 0.1;

/** Takes time and chance as values. */
export class WatchedJoins {
  /** By path. Bounded by the paths. */
  readonly #watched = new Map<string, Watched>();
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** An endpoint was put in; `rttMs` is what is known of the path. */
  began(path: Path, now: number, rttMs: number): void {
    const key = pathKey(path);
    const known = this.#watched.get(key);
    const waitMs = known?.waitMs ?? Math.max(WAIT_MS_FIRST, 2 * rttMs);
    const jitter = 1 + JITTER * (2 * this.#random() - 1);
    const next = {
      dueAt: now + waitMs * jitter,
      waitMs: Math.min(2 * waitMs, WAIT_MS_MAX),
      attempts: known?.attempts ?? 0,
    };
    this.#watched.set(key, next);
  }

  /** The kernel says that a subflow from this path's address has failed: look soon, but not at once for ever. */
  failed(path: Path, now: number): void {
    const watched = this.#watched.get(pathKey(path));
    if (watched !== undefined && watched.attempts < BLIND_ATTEMPTS) watched.dueAt = Math.min(watched.dueAt, now);
  }

  /** What to do about a path that no connection has taken up. */
  unjoined(path: Path): JoinStep {
    const watched = this.#watched.get(pathKey(path));
    if (watched === undefined) return 'ask';
    watched.attempts++;
    return watched.attempts <= BLIND_ATTEMPTS ? 'again' : 'ask';
  }

  /** The path works, or there is nothing to join, or it is gone: the next time begins afresh. */
  settled(path: Path): void {
    this.#watched.delete(pathKey(path));
  }

  isDue(path: Path, now: number): boolean {
    const watched = this.#watched.get(pathKey(path));
    return watched !== undefined && watched.dueAt <= now;
  }

  /** Milliseconds until the next look; `undefined`: none is due. */
  untilNext(now: number): number | undefined {
    let next: number | undefined;
    for (const { dueAt } of this.#watched.values()) {
      const left = Math.max(1, Math.ceil(dueAt - now));
      if (next === undefined || left < next) next = left;
    }
    return next;
  }

  /** Forgets the paths that are no more. */
  keepOnly(paths: readonly Path[]): void {
    const keys = new Set(paths.map(pathKey));
    for (const key of this.#watched.keys()) if (!keys.has(key)) this.#watched.delete(key);
  }
}
