// Over which managed paths a new connection is tried. As a rule over the one that the kernel chooses, and beside it over
// the others: the kernel follows its default route though the path behind it may be dead. Where a wish speaks against
// the kernel's choice, over those that the wish allows, the best first.

import type { OtherPaths } from '../dataplane/race.ts';
import { isLoopback } from '../routing/access.ts';
import { NetworkSet } from '../routing/network-set.ts';
import { type ChoiceOptions, choosePaths, isAnyPathFine, type PathState } from '../routing/path-choice.ts';
import { familyOf } from '../wire/ip.ts';

/** Without knowledge of the server: few are farther by a path that is worth waiting for. */
const DELAY_MS_UNKNOWN = 75;
const DELAY_MS_MIN = 40;
/** RFC 8305 §8, Connection Attempt Delay. */
const DELAY_MS_MAX = 250;
/** An answer may come late by so much. */
const PATIENCE = 2;
/** Short connections tell the path manager nothing; the next ones need not wait for what the last ones did. */
const DOUBT_MS = 5_000;
const SERVERS_MAX = 1_024;
/** Weight of the newest answer. */
const SMOOTHING = 0.3;
const NONE = { sources: [], delayMs: 0 };
const ANY: ChoiceOptions = { wish: { kind: 'max-throughput' }, bytes: 0, meteredAfter: undefined };

export interface PathUse extends OtherPaths {
  /** To connect from, one for each family at the most; empty: the kernel chooses. */
  readonly sources: readonly string[];
  /** Whether a destination can be reached as is wished. */
  permits(address: string): boolean;
}

export class PathSources {
  /** As the path manager told last; none when there is no manager. Bounded by the paths. */
  #paths: readonly PathState[] = [];
  /** Their own networks: what is there is reached over the link that it is on. */
  #near = new NetworkSet([]);
  /** How long connections took, by server. Bounded by SERVERS_MAX, the oldest go first. */
  readonly #answers = new Map<string, number>();
  /** Until when paths are doubted, by address: another one was faster lately. Bounded by the addresses of DOUBT_MS. */
  readonly #doubted = new Map<string, number>();

  get paths(): readonly PathState[] {
    return this.#paths;
  }

  set paths(paths: readonly PathState[]) {
    this.#paths = paths;
    this.#near = new NetworkSet(paths.map(({ network }) => network));
  }

  /** Whether an address is on this machine or on one of its links, so that no path has to lead there. */
  isNear(address: string): boolean {
    return isLoopback(address) || this.#near.has(address);
  }

  /**
   * For one connection; `undefined` where there is no choice. A TCP connection stays for ever on the path that wins, so
   * another one gets its chance only when the first has been silent for long; an MPTCP connection takes them all in the
   * end.
   */
  forConnection(mptcp: boolean, wish: ChoiceOptions = ANY): PathUse | undefined {
    const families = ([4, 6] as const).map((family) => {
      const paths = this.paths.filter((path) => path.family === family);
      const chosen = choosePaths(paths, wish);
      return { family, chosen: chosen.map(({ path }) => path), isFree: isAnyPathFine(paths, chosen) };
    });
    const isStrict = wish.wish.kind === 'only';
    if (this.paths.length < 2 && !isStrict && families.every(({ isFree }) => isFree)) return undefined;
    let used = '';
    const chosen = families.flatMap((one) => one.chosen);
    return {
      sources: families.flatMap((one) => (one.isFree ? [] : one.chosen.slice(0, 1).map(({ address }) => address))),
      permits: (address) =>
        !isStrict || this.isNear(address) || chosen.some(({ family }) => family === familyOf(address)),
      besides: (local, remote, now) => {
        used = local;
        return this.#besides({ local, remote, now, mptcp }, chosen);
      },
      answered: (remote, ms) => {
        this.#doubted.delete(used);
        this.#answered(remote, ms);
      },
      overtaken: (now) => {
        // Of addresses that were ours once the doubts are over.
        for (const [local, until] of this.#doubted) if (until <= now) this.#doubted.delete(local);
        this.#doubted.set(used, now + DOUBT_MS);
      },
    };
  }

  #besides(
    { local, remote, now, mptcp }: { local: string; remote: string; now: number; mptcp: boolean },
    chosen: readonly PathState[],
  ): ReturnType<OtherPaths['besides']> {
    const used = this.paths.find(({ address }) => address === local);
    // By loopback, a tunnel, or whatever else is not managed: there is a reason for that.
    if (used === undefined) return NONE;
    const sources = chosen
      .filter(({ address, family }) => address !== local && family === used.family)
      .map(({ address }) => address);
    const isDoubted = (this.#doubted.get(local) ?? 0) > now;
    if (!used.works || (isDoubted && mptcp)) return { sources, delayMs: 0 };
    return { sources, delayMs: mptcp ? this.#delayMs(remote) : DELAY_MS_MAX };
  }

  #delayMs(remote: string): number {
    const known = this.#answers.get(remote);
    if (known === undefined) return DELAY_MS_UNKNOWN;
    return Math.min(Math.max(DELAY_MS_MIN, PATIENCE * known), DELAY_MS_MAX);
  }

  #answered(remote: string, ms: number): void {
    const known = this.#answers.get(remote) ?? ms;
    this.#answers.delete(remote);
    this.#answers.set(remote, known + (ms - known) * SMOOTHING);
    if (this.#answers.size <= SERVERS_MAX) return;
    const [oldest] = this.#answers.keys();
    if (oldest !== undefined) this.#answers.delete(oldest);
  }
}
