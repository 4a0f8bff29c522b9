// From the packets on both sides of a proxy to the time it took to pass things on. Pure.
//
// The connections must come one after the other, each with one byte to the server and one back after its handshake.

import { TcpFlag, type TcpPacket } from './packets.ts';

/** In microseconds, one entry a connection. */
export interface ProxyDelays {
  /** From what told the proxy where to connect (the client's SYN, or its request) to the proxy's own SYN. */
  readonly setUp: readonly number[];
  /** From the client's byte to that byte towards the server. */
  readonly up: readonly number[];
  readonly down: readonly number[];
}

interface Probe {
  readonly clientPort: number;
  /** When the client last said something that the proxy needs before it connects. */
  toldAt: number;
  upstreamPort?: number;
  upAt?: number;
  upDone?: boolean;
  downAt?: number;
  downDone?: boolean;
}

/** `handshake`: the client tells the proxy its destination first, as in SOCKS. */
export function proxyDelays(
  packets: readonly TcpPacket[],
  proxyPort: number,
  serverPort: number,
  handshake: boolean,
): ProxyDelays {
  const setUp: number[] = [];
  const up: number[] = [];
  const down: number[] = [];
  let probe: Probe | undefined;
  for (const packet of packets) {
    const { toPort, fromPort, payloadBytes, atNs } = packet;
    const isSyn = (packet.flags & (TcpFlag.syn | TcpFlag.ack)) === TcpFlag.syn;
    if (isSyn && toPort === proxyPort) {
      if (probe?.clientPort !== fromPort) probe = { clientPort: fromPort, toldAt: atNs };
    } else if (probe === undefined) {
      // Before the first connection.
    } else if (isSyn && toPort === serverPort) {
      if (probe.upstreamPort !== undefined) continue;
      probe.upstreamPort = fromPort;
      setUp.push((atNs - probe.toldAt) / 1000);
    } else if (payloadBytes > 0) {
      if (fromPort === probe.clientPort && toPort === proxyPort) {
        if (probe.upstreamPort !== undefined) probe.upAt ??= atNs;
        else if (handshake) probe.toldAt = atNs;
      } else if (fromPort === probe.upstreamPort && toPort === serverPort) {
        if (probe.upAt !== undefined && probe.upDone !== true) up.push((atNs - probe.upAt) / 1000);
        probe.upDone = true;
      } else if (fromPort === serverPort && toPort === probe.upstreamPort) probe.downAt ??= atNs;
      else if (fromPort === proxyPort && toPort === probe.clientPort && probe.downAt !== undefined) {
        if (probe.downDone !== true) down.push((atNs - probe.downAt) / 1000);
        probe.downDone = true;
      }
    }
  }
  return { setUp, up, down };
}
