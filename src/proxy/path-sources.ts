// Over which managed paths a new connection is tried beside the one that the kernel chooses for it: the kernel follows
// its default route though the path behind it may be dead.

import type { OtherPaths } from '../dataplane/race.ts';
import type { PathState } from '../routing/path-choice.ts';

/** Without knowledge of the server: few are farther by a path that is worth waiting for. */
const DELAY_MS_UNKNOWN = 75;
const DELAY_MS_MIN = 40;
/** RFC 8305 §8, Connection Attempt Delay. */
const DELAY_MS_MAX = 250;
/** An answer may come late by so much. */
const PATIENCE = 2;
const SERVERS_MAX = 1_024;
/** Weight of the newest answer. */
const SMOOTHING = 0.3;
const NONE = { sources: [], delayMs: 0 };

export class PathSources {
  /** As the path manager told last; none when there is no manager. Bounded by the paths. */
  paths: readonly PathState[] = [];
  /** How long connections took, by server. Bounded by SERVERS_MAX, the oldest go first. */
  readonly #answers = new Map<string, number>();

  /**
   * For one connection; `undefined` where there is no choice. A TCP connection stays for ever on the path that wins, so
   * another one gets its chance only when the first has been silent for long; an MPTCP connection takes them all in the
   * end.
   */
  forConnection(mptcp: boolean): OtherPaths | undefined {
    if (this.paths.length < 2) return undefined;
    return {
      besides: (local, remote) => this.#besides(local, remote, mptcp),
      answered: (remote, ms) => this.#answered(remote, ms),
    };
  }

  #besides(local: string, remote: string, mptcp: boolean): ReturnType<OtherPaths['besides']> {
    const chosen = this.paths.find(({ address }) => address === local);
    // By loopback, a tunnel, or whatever else is not managed: there is a reason for that.
    if (chosen === undefined) return NONE;
    const sources = this.paths
      .filter(({ works, address, family }) => works && address !== local && family === chosen.family)
      .sort((a, b) => Number(a.backup) - Number(b.backup) || a.priority - b.priority)
      .map(({ address }) => address);
    return { sources, delayMs: !chosen.works ? 0 : mptcp ? this.#delayMs(remote) : DELAY_MS_MAX };
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
