// Makes the kernel look for a neighbour anew.

import { encodeNeighbour, isUnresolved, type Neighbour } from '../wire/neighbour.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

/**
 * Forgets a neighbour that the kernel looks for in vain. What is sent to one while it is being looked for waits for up to
 * three seconds, and when the search fails ends with it: a SYN sent when the link has just returned would end for want of
 * an answer that was asked for before. An entry that is good, or that somebody has set, stays.
 */
export function forgetUnresolved(socket: NetlinkSocket, neighbour: Neighbour): void {
  let unresolved = false;
  socket.request(
    (sequence) => encodeNeighbour('get', neighbour, sequence),
    (type, payload) => {
      unresolved ||= isUnresolved(type, payload);
    },
  );
  if (unresolved) socket.request((sequence) => encodeNeighbour('remove', neighbour, sequence));
}
