// How much an interface has carried, as rtnetlink tells with every link (IFLA_STATS64, include/uapi/linux/if_link.h).

import { viewOf } from './netlink.ts';
import { Attributes } from './netlink-read.ts';
import { ProtocolError } from './protocol-error.ts';

export interface LinkBytes {
  readonly index: number;
  readonly name: string;
  /** Both directions together, since the interface was made; headers of its own layer included. */
  readonly bytes: number;
}

const RTM_NEWLINK = 16;
/** struct ifinfomsg: u8 family, padding, u16 type; s32 index; u32 flags, change. */
const IFINFOMSG = 16;
const IFLA_IFNAME = 3;
const IFLA_STATS64 = 23;
/** struct rtnl_link_stats64: u64 rx_packets, tx_packets, rx_bytes, tx_bytes, … */
const RX_BYTES = 16;
const TX_BYTES = 24;

/** `undefined`: another message, or a kernel that does not count. Throws a ProtocolError. */
export function parseLinkBytes(type: number, payload: Uint8Array): LinkBytes | undefined {
  if (type !== RTM_NEWLINK) return undefined;
  if (payload.length < IFINFOMSG) throw new ProtocolError('malformed', 'rtnetlink: a link shorter than its header');
  if (payload[0] !== 0) return undefined;
  const attributes = new Attributes(payload, IFINFOMSG);
  const stats = attributes.bytes(IFLA_STATS64);
  if (stats === undefined || stats.length < TX_BYTES + 8) return undefined;
  const view = viewOf(stats);
  const bytes = Number(view.getBigUint64(RX_BYTES, true) + view.getBigUint64(TX_BYTES, true));
  return { index: viewOf(payload).getInt32(4, true), name: attributes.text(IFLA_IFNAME) ?? '', bytes };
}
