// Which links of a network have a way round them. Pure.

import type { Topology } from './topology.ts';

/** Whether the link's two hosts stay joined without it, over whatever hosts. In the language of graphs: it is no bridge. */
export function hasWayRound(links: Topology['links'], without: Topology['links'][number]): boolean {
  const [from, to] = without.hosts;
  /** Bounded by the hosts. */
  const reached = new Set([from]);
  for (const host of reached) {
    for (const { hosts } of links.filter((link) => link !== without && link.hosts.includes(host))) {
      for (const end of hosts) reached.add(end);
    }
  }
  return reached.has(to);
}
