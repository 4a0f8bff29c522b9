// Makes the kernel look for a neighbour, also anew.

import { encodeNeighbour, type Neighbour, type NeighbourState, parseNeighbourState } from '../wire/neighbour.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

/**
 * Forgets a neighbour that the kernel looks for in vain. What is sent to one while it is being looked for waits for up to
 * three seconds, and when the search fails ends with it: a SYN sent when the link has just returned would end for want of
 * an answer that was asked for before. `evenResolved`: forgets it also when it is known, so that the next packet asks for
 * it in public. Whoever hears that learns of us: a gateway that has looked for us in vain asks once a second only.
 *
 * An entry that somebody has set stays.
 */
export function forgetNeighbour(socket: NetlinkSocket, neighbour: Neighbour, evenResolved: boolean): void {
  const state = stateOf(socket, neighbour);
  if (state !== 'unresolved' && !(state === 'resolved' && evenResolved)) return;
  socket.request((sequence) => encodeNeighbour('remove', neighbour, sequence));
}

/**
 * Whether a neighbour is known, so that what is sent to it leaves at once. If not, the kernel is asked to look for it: a
 * search under way goes on, one that was given up begins anew.
 */
export function findNeighbour(socket: NetlinkSocket, neighbour: Neighbour): boolean {
  const isKnown = (): boolean => {
    const state = stateOf(socket, neighbour);
    return state === 'resolved' || state === 'fixed';
  };
  if (isKnown()) return true;
  socket.request((sequence) => encodeNeighbour('find', neighbour, sequence));
  // On a link that needs no finding the entry is complete as soon as there is one.
  return isKnown();
}

function stateOf(socket: NetlinkSocket, neighbour: Neighbour): NeighbourState | undefined {
  let state: NeighbourState | undefined;
  socket.request(
    (sequence) => encodeNeighbour('get', neighbour, sequence),
    (type, payload) => {
      state ??= parseNeighbourState(type, payload);
    },
  );
  return state;
}
