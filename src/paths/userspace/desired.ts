// Which subflows a connection should have: strategy and wish, held against the paths as they are. Pure.

import type { Strategy } from '../../config/config.ts';
import { type ChosenPath, choosePaths, type PathState, type PathWish } from '../../routing/path-choice.ts';
import type { Endpoint } from '../../wire/destination.ts';
import { familyOf } from '../../wire/ip.ts';

/** Local ports, both inclusive, whose packets leave by a gateway of their own. */
export interface PortRange {
  readonly from: number;
  readonly to: number;
}

export interface SubflowPath extends PathState {
  readonly index: number;
  /** Further subflows may begin here; the first one of a connection may in any case. */
  readonly joins: boolean;
  /** As a server: to be told to peers, with this port, or with that of the connection for 0; `undefined`: not at all. */
  readonly signalPort: number | undefined;
  /** Further gateways of the same interface. */
  readonly gateways: readonly PortRange[];
}

export interface Policy {
  readonly wish: PathWish;
  readonly strategy: Strategy;
}

export interface Settings {
  /** `ndiffports`: subflows for each pair of addresses. */
  readonly subflows: number;
  readonly meteredAfter: number | undefined;
}

export interface Remote extends Endpoint {
  /** The peer takes further subflows there. */
  readonly joinable: boolean;
}

/** What is known of a connection. */
export interface Subject {
  readonly bytes: number;
  /** The first one is where it was opened to, the others are what the peer has announced. */
  readonly remotes: readonly Remote[];
  /** Address of the path that came first before. */
  readonly before: string | undefined;
}

/** A number of subflows between two addresses. */
export interface Wanted {
  readonly address: string;
  readonly index: number;
  readonly remote: Remote;
  /** `undefined`: from any port that belongs to no gateway of its own. */
  readonly ports: PortRange | undefined;
  readonly count: number;
  readonly backup: boolean;
  /** false: what there is may stay, and nothing new is opened. */
  readonly joinable: boolean;
}

/** As many further subflows as the kernel's own path manager would open (MPTCP_PM_ADDR_MAX). */
const SUBFLOWS_MAX = 8;

/** The subflows, best first. Of the peer's addresses all but `fullmesh` use the first one that takes subflows. */
export function desiredSubflows(
  { bytes, remotes, before }: Subject,
  paths: readonly SubflowPath[],
  { wish, strategy }: Policy,
  { subflows, meteredAfter }: Settings,
): readonly Wanted[] {
  const choose = (family: 4 | 6) =>
    choosePaths(
      paths.filter((path) => path.family === family),
      { wish, bytes, meteredAfter, before },
    );
  const wanted = targets(remotes, strategy).flatMap((remote) => {
    const chosen = choose(familyOf(remote.address));
    return chosen.slice(0, strategy === 'single' ? 1 : chosen.length).flatMap((one, rank) => {
      const backup = one.backup || (strategy === 'backup' && rank > 0);
      return between(one, remote, backup, strategy, subflows);
    });
  });
  return limit(wanted);
}

function targets(remotes: readonly Remote[], strategy: Strategy): readonly Remote[] {
  if (strategy === 'fullmesh') return remotes;
  // Where the first address takes none, its one subflow stands for it, beside those to another address.
  const joinable = remotes.find((remote) => remote.joinable);
  return remotes.filter((remote, at) => at === 0 || remote === joinable).slice(0, remotes[0]?.joinable ? 1 : 2);
}

function between(
  { path: { address, index, joins, gateways } }: ChosenPath<SubflowPath>,
  remote: Remote,
  backup: boolean,
  strategy: Strategy,
  subflows: number,
): Wanted[] {
  const joinable = joins && remote.joinable;
  const one: Wanted = { address, index, remote, ports: undefined, count: 1, backup, joinable };
  if (strategy === 'ndiffports' && joinable) return [{ ...one, count: subflows }];
  if (strategy === 'gateways' && joinable) return [one, ...gateways.map((ports) => ({ ...one, ports }))];
  return [one];
}

function limit(wanted: readonly Wanted[]): Wanted[] {
  // Besides the first one, which every connection has.
  let left = SUBFLOWS_MAX + 1;
  return wanted.flatMap((one) => {
    const count = Math.min(one.count, left);
    left -= count;
    return count > 0 ? [{ ...one, count }] : [];
  });
}
