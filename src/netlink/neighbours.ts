// Makes the kernel look for a neighbour anew.

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
  let state: NeighbourState | undefined;
  socket.request(
    (sequence) => encodeNeighbour('get', neighbour, sequence),
    (type, payload) => {
      state ??= parseNeighbourState(type, payload);
    },
  );
  if (state !== 'unresolved' && !(state === 'resolved' && evenResolved)) return;
  socket.request((sequence) => encodeNeighbour('remove', neighbour, sequence));
}
