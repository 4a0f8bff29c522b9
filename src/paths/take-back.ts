// What stays set up at the manager's end because connections stand on it.

import type { SubflowList } from '../netlink/subflow-list.ts';
import type { Path } from './path.ts';
import { ownerOfEndpoint, type Present, planRemoval, type Step } from './plan.ts';
import { pathsStoodOn } from './stood-on.ts';

/** Connections that have just been closed are gone after a round trip: so long they are waited for. */
const LOOKS_MAX = 6;
const BETWEEN_LOOKS_MS = 100;

/** Takes back all that is ours, but what some connection of the machine needs to go on. Blocks for half a second at most. */
export function planTakeBack(
  subflows: SubflowList,
  paths: readonly Path[],
  present: Pick<Present, 'view' | 'endpoints'>,
  events: { say(level: 'info' | 'warn', code: string, message: string): void },
): Step[] {
  const left = pathsToLeave(subflows, paths, present);
  if (left.length > 0) {
    const names = left.map(({ name, address }) => `${name} (${address})`).join(', ');
    const message = `${names} stays set up, for connections of this machine run over it; the next start takes it over`;
    events.say('warn', 'paths-left', message);
  }
  return planRemoval(present, left);
}

function pathsToLeave(
  subflows: SubflowList,
  paths: readonly Path[],
  { view, endpoints }: Pick<Present, 'view' | 'endpoints'>,
): Path[] {
  const isEnding = (path: Path): boolean => ownerOfEndpoint(path, endpoints, view.rules) === 'ours';
  for (let look = 1; ; look++) {
    const left = pathsStoodOn(paths, subflows.read() ?? [], isEnding);
    if (left.length === 0 || look === LOOKS_MAX) return left;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BETWEEN_LOOKS_MS);
  }
}
