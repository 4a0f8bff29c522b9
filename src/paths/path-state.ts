// A path as whoever opens connections sees it. Pure.

import type { PathState } from '../routing/path-choice.ts';
import { networkOf } from './network-of.ts';
import type { Path } from './path.ts';

/** `rttMs`: in milliseconds; `undefined`: not known. */
export function statePath(path: Path, isDead: boolean, rttMs: number | undefined): PathState {
  const { name, interface: device, family, address, prefix, cost, priority, backup, spent, trouble } = path;
  const works = trouble === undefined && !isDead;
  const network = `${networkOf(address, prefix)}/${prefix}`;
  return { name, interface: device, family, address, network, cost, priority, works, backup, spent, rttMs };
}
