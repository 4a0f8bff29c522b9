// What cannot be taken back without harm: an endpoint that goes takes its subflows along, and a connection whose
// subflows have all gone stands still for good. Pure.

import type { SubflowProgress } from '../wire/subflow-dump.ts';
import type { Path } from './path.ts';

/**
 * The paths to leave as they are, so that each connection keeps a subflow: of those it runs over, the most preferred.
 * `isEnding`: the path's endpoint is ours, and would go. `paths` in order of preference.
 */
export function pathsStoodOn(
  paths: readonly Path[],
  subflows: readonly SubflowProgress[],
  isEnding: (path: Path) => boolean,
): Path[] {
  const ending = new Map(paths.filter(isEnding).map((path) => [path.address, path]));
  /** Addresses of each connection's subflows, by its token. Bounded by the listed subflows. */
  const connections = new Map<number, Set<string>>();
  for (const { token, local } of subflows) {
    const addresses = connections.get(token) ?? new Set();
    connections.set(token, addresses.add(local.address));
  }
  const left = new Set<Path>();
  for (const path of [...ending.values()]) {
    for (const [token, addresses] of connections) {
      const survives = [...addresses].some((address) => {
        const over = ending.get(address);
        return over === undefined || left.has(over);
      });
      if (survives) connections.delete(token);
      else if (addresses.has(path.address)) left.add(path);
    }
  }
  return [...left];
}
