// What every interface of a network namespace has carried. Needs no rights.

import { type LinkBytes, parseLinkBytes } from '../wire/link-bytes.ts';
import { encodeRouteDump } from '../wire/rtnetlink.ts';
import { NetlinkProtocol, NetlinkSocket } from './netlink-socket.ts';

/** Those beyond are left out. */
const INTERFACES_MAX = 4_096;

/** Some 20 µs for each interface. `undefined`: the kernel does not tell. Throws a LinuxError or a NetlinkError. */
export function readInterfaceBytes(namespace?: string): LinkBytes[] | undefined {
  const socket = new NetlinkSocket(NetlinkProtocol.route, namespace);
  let links: LinkBytes[] = [];
  try {
    const { errno } = socket.dump(
      (sequence) => encodeRouteDump('link', undefined, sequence),
      () => {
        links = [];
      },
      (type, payload) => {
        const link = parseLinkBytes(type, payload);
        if (link !== undefined && links.length < INTERFACES_MAX) links.push(link);
      },
    );
    return errno === 0 ? links : undefined;
  } finally {
    socket.close();
  }
}
