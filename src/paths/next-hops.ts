// The gateways' link addresses (ARP, neighbour discovery). A SYN that waits for one makes the kernel take the round trip
// for longer than it is, and over a path that stands by nothing else ever goes that would put it right.

import { findNeighbour, forgetNeighbour } from '../netlink/neighbours.ts';
import type { NetlinkSocket } from '../netlink/netlink-socket.ts';
import type { Neighbour } from '../wire/neighbour.ts';
import type { Path } from './path.ts';

type Hop = Pick<Path, 'gateway' | 'index' | 'family'>;

export class NextHops {
  readonly #socket: NetlinkSocket;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** Whether what is sent now leaves at once; if not, the gateway is being looked for from now on. */
  find(path: Hop): boolean {
    const neighbour = neighbourOf(path);
    return neighbour === undefined || findNeighbour(this.#socket, neighbour);
  }

  /** See `forgetNeighbour`. */
  forget(path: Hop, evenResolved: boolean): void {
    const neighbour = neighbourOf(path);
    if (neighbour !== undefined) forgetNeighbour(this.#socket, neighbour, evenResolved);
  }
}

function neighbourOf({ gateway, index, family }: Hop): Neighbour | undefined {
  return gateway === undefined ? undefined : { family, address: gateway, index };
}
