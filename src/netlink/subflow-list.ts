// All MPTCP subflows of a network namespace, whosever they are, and how far each has come (CAP_NET_ADMIN; CONFIG_INET_DIAG).

import {
  encodeSubflowDump,
  parseSubflowProgress,
  SOCK_DIAG_BY_FAMILY,
  type SubflowProgress,
} from '../wire/subflow-dump.ts';
import { NetlinkProtocol, NetlinkSocket } from './netlink-socket.ts';

/** Those beyond are left out. */
const SUBFLOWS_MAX = 65_536;

export class SubflowList {
  readonly #socket: NetlinkSocket;

  /** Throws a LinuxError or a NetlinkError. */
  constructor(namespace?: string) {
    this.#socket = new NetlinkSocket(NetlinkProtocol.sockDiag, namespace);
  }

  /** Some 2 µs for each established TCP socket. `undefined`: the kernel does not tell. */
  read(): SubflowProgress[] | undefined {
    const subflows: SubflowProgress[] = [];
    for (const family of [4, 6] as const) {
      const errno = this.#socket.request(
        (sequence) => encodeSubflowDump(family, sequence),
        (type, payload) => {
          if (type !== SOCK_DIAG_BY_FAMILY || subflows.length >= SUBFLOWS_MAX) return;
          const subflow = parseSubflowProgress(payload);
          if (subflow !== undefined) subflows.push(subflow);
        },
      );
      if (errno !== 0) return undefined;
    }
    return subflows;
  }

  close(): void {
    this.#socket.close();
  }
}
