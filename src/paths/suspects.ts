// Paths that may have fallen silent, and those that have: asked until it is clear, and until they answer again.

import type { EventLoop } from '../dataplane/event-loop.ts';
import { type Path, pathKey } from './path.ts';
import { SilentPath } from './silent-path.ts';
import type { Suspicion } from './stall.ts';

/** A false alarm: the next one of this path is heard after this time, doubled each time. */
const QUIET_MS = 2_000;
const QUIET_MS_MAX = 60_000;

interface Quiet {
  readonly since: number;
  readonly until: number;
  readonly ms: number;
}

export interface SuspectsOwner {
  /** A probe is about to leave over the path. */
  onProbe(path: Path, isDead: boolean): void;
  onDead(): void;
  /** A dead path answers again, after so many milliseconds. */
  onReturn(path: Path, awayMs: number): void;
}

export class Suspects {
  readonly #loop: EventLoop;
  readonly #owner: SuspectsOwner;
  /** Suspected and dead paths. Bounded by the paths. */
  readonly #silent = new Map<string, SilentPath>();
  /** Bounded by the paths. */
  readonly #quiet = new Map<string, Quiet>();

  constructor(loop: EventLoop, owner: SuspectsOwner) {
    this.#loop = loop;
    this.#owner = owner;
  }

  /** Nothing comes through there, although nobody said so. */
  readonly isDead = (path: Path): boolean => this.#silent.get(pathKey(path))?.isDead === true;

  /** Nothing more is asked over paths that are gone, or in trouble: their return will be told. */
  keepOnly(paths: readonly Path[]): void {
    const keys = new Set(paths.filter(({ trouble }) => trouble === undefined).map(pathKey));
    for (const key of this.#silent.keys()) if (!keys.has(key)) this.#drop(key);
  }

  /** Bytes that came over a path at this time say as much as an answer. */
  acquit(path: Path, progressAt: number): void {
    const key = pathKey(path);
    const silent = this.#silent.get(key);
    if (silent !== undefined && !silent.isDead && progressAt > silent.since) this.#drop(key);
    // A false alarm is to be heard later the next time, unless the path has been at work since.
    if (progressAt > (this.#quiet.get(key)?.since ?? Number.POSITIVE_INFINITY)) this.#quiet.delete(key);
  }

  suspect(path: Path, { address, remote, answerMs }: Suspicion, now: number): void {
    const key = pathKey(path);
    if (this.#silent.has(key) || now < (this.#quiet.get(key)?.until ?? 0)) return;
    const silent = new SilentPath(
      this.#loop,
      { from: address, to: remote, answerMs },
      {
        onProbe: (isDead) => this.#owner.onProbe(path, isDead),
        onDead: () => this.#owner.onDead(),
        onAlive: (wasDead) => {
          this.#silent.delete(key);
          if (!wasDead) return this.#hush(key);
          this.#quiet.delete(key);
          this.#owner.onReturn(path, performance.now() - now);
        },
      },
    );
    this.#silent.set(key, silent);
  }

  /** Asks no more. */
  close(): void {
    for (const key of this.#silent.keys()) this.#drop(key);
  }

  #hush(key: string): void {
    const ms = Math.min((this.#quiet.get(key)?.ms ?? QUIET_MS / 2) * 2, QUIET_MS_MAX);
    const since = performance.now();
    this.#quiet.set(key, { since, until: since + ms, ms });
  }

  #drop(key: string): void {
    this.#silent.get(key)?.cancel();
    this.#silent.delete(key);
  }
}
