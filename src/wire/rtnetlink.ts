// rtnetlink: links, addresses, routes and rules as the kernel tells of them, and the changes we ask for. Layouts:
// include/uapi/linux/{rtnetlink,if_link,if_addr,fib_rules}.h.

import { NLM_F_REQUEST, viewOf } from './netlink.ts';
import {
  AF_INET,
  AF_INET6,
  attribute,
  encodeNetlinkMessage,
  ipBytes,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  u32,
} from './netlink-encode.ts';
import { Attributes } from './netlink-read.ts';
import { ProtocolError } from './protocol-error.ts';

const Type = {
  newLink: 16,
  delLink: 17,
  getLink: 18,
  newAddress: 20,
  delAddress: 21,
  getAddress: 22,
  newRoute: 24,
  delRoute: 25,
  getRoute: 26,
  newRule: 32,
  delRule: 33,
  getRule: 34,
} as const;

/** enum rtnetlink_groups: numbers for NETLINK_ADD_MEMBERSHIP. */
export const RouteGroup = {
  link: 1,
  ipv4Address: 5,
  ipv4Route: 7,
  ipv4Rule: 8,
  ipv6Address: 9,
  ipv6Route: 11,
  ipv6Rule: 19,
} as const;

/** enum rt_class_t */
export const MAIN_TABLE = 254;
/** Who installed a route or a rule: the kernel itself. */
export const PROTOCOL_KERNEL = 2;

export interface Link {
  readonly index: number;
  readonly name: string;
  /** Administratively up. */
  readonly up: boolean;
  /** The layer below says that it can carry packets; for devices without such a thing, that they are up. */
  readonly carrier: boolean;
  readonly loopback: boolean;
  readonly pointToPoint: boolean;
  /** ARPHRD_…, include/uapi/linux/if_arp.h. */
  readonly hardware: number;
  readonly mtu: number;
  /** Of virtual devices: `veth`, `bridge`, `wireguard`, `tun`, `vlan`, `wwan`, …; empty for hardware. */
  readonly kind: string;
  /** Index of the bridge or bond it belongs to; 0 for none. */
  readonly master: number;
}

export interface Address {
  readonly family: 4 | 6;
  readonly index: number;
  readonly address: string;
  readonly prefix: number;
  /** RT_SCOPE_UNIVERSE: good beyond this link. */
  readonly global: boolean;
  /** Duplicate address detection is not over, or has failed: it cannot be bound to. */
  readonly tentative: boolean;
  readonly deprecated: boolean;
  /** IPv4: another address of the same network came first. IPv6: a temporary one (RFC 8981). One bit means both. */
  readonly secondary: boolean;
}

export interface Route {
  readonly family: 4 | 6;
  readonly table: number;
  readonly protocol: number;
  /** Unicast; not local, broadcast, blackhole, … */
  readonly unicast: boolean;
  /** RT_SCOPE_LINK, or an IPv6 route without a gateway: its network is on the link. */
  readonly onLink: boolean;
  /** `undefined`: everywhere. */
  readonly destination: string | undefined;
  readonly prefix: number;
  /** The device's index; 0 for a route over several, which are not told here. */
  readonly index: number;
  readonly gateway: string | undefined;
  readonly source: string | undefined;
  readonly metric: number;
}

export interface Rule {
  readonly family: 4 | 6;
  readonly priority: number;
  readonly table: number;
  /** 0 when whoever made it did not say. */
  readonly protocol: number;
  /** Source network; `undefined`: every one. */
  readonly from: string | undefined;
  readonly fromPrefix: number;
  /** It has no condition besides the source, and its action is to look into the table. */
  readonly plain: boolean;
}

/** `removed`: the kernel tells that it is gone. `other`: not of the four kinds, or of another family. */
export type RouteMessage =
  | { readonly kind: 'link'; readonly removed: boolean; readonly link: Link }
  | { readonly kind: 'address'; readonly removed: boolean; readonly address: Address }
  | { readonly kind: 'route'; readonly removed: boolean; readonly route: Route }
  | { readonly kind: 'rule'; readonly removed: boolean; readonly rule: Rule }
  | { readonly kind: 'other' };

const OTHER: RouteMessage = { kind: 'other' };

/** What a message of this type says; see parseNetlinkMessage for both. Throws a ProtocolError. */
export function parseRouteMessage(type: number, payload: Uint8Array): RouteMessage {
  switch (type) {
    case Type.newLink:
    case Type.delLink:
      return readLink(payload, type === Type.delLink);
    case Type.newAddress:
    case Type.delAddress:
      return readAddress(payload, type === Type.delAddress);
    case Type.newRoute:
    case Type.delRoute:
      return readRoute(payload, type === Type.delRoute);
    case Type.newRule:
    case Type.delRule:
      return readRule(payload, type === Type.delRule);
    default:
      return OTHER;
  }
}

function requireSize(payload: Uint8Array, size: number, what: string): DataView {
  if (payload.length < size) throw new ProtocolError('malformed', `rtnetlink: a message shorter than ${what}`);
  return viewOf(payload);
}

function familyNumber(family: number | undefined): 4 | 6 | undefined {
  return family === AF_INET ? 4 : family === AF_INET6 ? 6 : undefined;
}

/** struct ifinfomsg: u8 family, padding, u16 type, s32 index, u32 flags, u32 change. */
const IFINFOMSG = 16;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFF_UP = 0x1;
const IFF_LOOPBACK = 0x8;
const IFF_POINTOPOINT = 0x10;
const IFF_LOWER_UP = 0x10000;

function readLink(payload: Uint8Array, removed: boolean): RouteMessage {
  const view = requireSize(payload, IFINFOMSG, 'ifinfomsg');
  // Bridges tell of their ports with RTM_NEWLINK and RTM_DELLINK of family AF_BRIDGE: the link itself stays.
  if (payload[0] !== 0) return OTHER;
  const attributes = new Attributes(payload, IFINFOMSG);
  const flags = view.getUint32(8, true);
  const link: Link = {
    index: view.getInt32(4, true),
    name: attributes.text(IFLA_IFNAME) ?? '',
    up: (flags & IFF_UP) !== 0,
    carrier: (flags & IFF_LOWER_UP) !== 0,
    loopback: (flags & IFF_LOOPBACK) !== 0,
    pointToPoint: (flags & IFF_POINTOPOINT) !== 0,
    hardware: view.getUint16(2, true),
    mtu: attributes.u32(IFLA_MTU) ?? 0,
    kind: attributes.nested(IFLA_LINKINFO)?.text(IFLA_INFO_KIND) ?? '',
    master: attributes.u32(IFLA_MASTER) ?? 0,
  };
  return { kind: 'link', removed, link };
}

/** struct ifaddrmsg: u8 family, prefix length, flags, scope; u32 index. */
const IFADDRMSG = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;
const IFA_F_SECONDARY = 0x01;
const IFA_F_DADFAILED = 0x08;
const IFA_F_DEPRECATED = 0x20;
const IFA_F_TENTATIVE = 0x40;

function readAddress(payload: Uint8Array, removed: boolean): RouteMessage {
  const view = requireSize(payload, IFADDRMSG, 'ifaddrmsg');
  const family = familyNumber(payload[0]);
  if (family === undefined) return OTHER;
  const attributes = new Attributes(payload, IFADDRMSG);
  // On a point-to-point link IFA_ADDRESS is the other end's.
  const text = attributes.ip(IFA_LOCAL) ?? attributes.ip(IFA_ADDRESS);
  if (text === undefined) throw new ProtocolError('malformed', 'rtnetlink: an address message without its address');
  const flags = attributes.u32(IFA_FLAGS) ?? view.getUint8(2);
  const address: Address = {
    family,
    index: view.getUint32(4, true),
    address: text,
    prefix: view.getUint8(1),
    global: view.getUint8(3) === 0,
    tentative: (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) !== 0,
    deprecated: (flags & IFA_F_DEPRECATED) !== 0,
    secondary: (flags & IFA_F_SECONDARY) !== 0,
  };
  return { kind: 'address', removed, address };
}

/** struct rtmsg: u8 family, dst_len, src_len, tos, table, protocol, scope, type; u32 flags. */
const RTMSG = 12;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_TABLE = 15;
const RTA_VIA = 18;
const RTN_UNICAST = 1;
const RT_SCOPE_LINK = 253;
const RTM_F_CLONED = 0x200;

function readRoute(payload: Uint8Array, removed: boolean): RouteMessage {
  const view = requireSize(payload, RTMSG, 'rtmsg');
  const family = familyNumber(payload[0]);
  // Clones are what the kernel remembers of single hosts.
  if (family === undefined || (view.getUint32(8, true) & RTM_F_CLONED) !== 0) return OTHER;
  const attributes = new Attributes(payload, RTMSG);
  // struct rtvia: u16 family, then the address: an IPv4 route by an IPv6 gateway (RFC 5549).
  const via = attributes.bytes(RTA_VIA);
  const gateway = attributes.ip(RTA_GATEWAY) ?? (via?.length === 18 ? viaText(via) : undefined);
  const route: Route = {
    family,
    table: attributes.u32(RTA_TABLE) ?? view.getUint8(4),
    protocol: view.getUint8(5),
    unicast: view.getUint8(7) === RTN_UNICAST,
    onLink: gateway === undefined && (family === 6 || view.getUint8(6) === RT_SCOPE_LINK),
    destination: attributes.ip(RTA_DST),
    prefix: view.getUint8(1),
    index: attributes.u32(RTA_OIF) ?? 0,
    gateway,
    source: attributes.ip(RTA_PREFSRC),
    metric: attributes.u32(RTA_PRIORITY) ?? 0,
  };
  return { kind: 'route', removed, route };
}

function viaText(via: Uint8Array): string | undefined {
  return new Attributes(attribute(RTA_GATEWAY, via.subarray(2))).ip(RTA_GATEWAY);
}

/** struct fib_rule_hdr: u8 family, dst_len, src_len, tos, table, two reserved, action; u32 flags. */
const FIB_RULE_HDR = 12;
const FRA_SRC = 2;
const FRA_PRIORITY = 6;
const FRA_TABLE = 15;
const FRA_PROTOCOL = 21;
const FRA_IP_PROTO = 22;
const FRA_SPORT_RANGE = 23;
const IPPROTO_TCP = 6;
const FR_ACT_TO_TBL = 1;
const FIB_RULE_INVERT = 0x2;
/** FRA_DST, IIFNAME, GOTO, FWMARK, TUN_ID, FWMASK, OIFNAME, L3MDEV, UID_RANGE, IP_PROTO, SPORT_RANGE, DPORT_RANGE. */
const CONDITIONS = [1, 3, 4, 10, 12, 16, 17, 19, 20, 22, 23, 24] as const;

function readRule(payload: Uint8Array, removed: boolean): RouteMessage {
  const view = requireSize(payload, FIB_RULE_HDR, 'fib_rule_hdr');
  const family = familyNumber(payload[0]);
  if (family === undefined) return OTHER;
  const attributes = new Attributes(payload, FIB_RULE_HDR);
  const isInverted = (view.getUint32(8, true) & FIB_RULE_INVERT) !== 0;
  const rule: Rule = {
    family,
    priority: attributes.u32(FRA_PRIORITY) ?? 0,
    table: attributes.u32(FRA_TABLE) ?? view.getUint8(4),
    protocol: attributes.u8(FRA_PROTOCOL) ?? 0,
    from: attributes.ip(FRA_SRC),
    fromPrefix: view.getUint8(2),
    plain:
      view.getUint8(7) === FR_ACT_TO_TBL &&
      view.getUint8(3) === 0 &&
      !isInverted &&
      !CONDITIONS.some((type) => attributes.has(type)),
  };
  return { kind: 'rule', removed, rule };
}

export type RouteSubject = 'link' | 'address' | 'route' | 'rule';

const DUMPS: Readonly<Record<RouteSubject, { readonly type: number; readonly header: number }>> = {
  link: { type: Type.getLink, header: IFINFOMSG },
  address: { type: Type.getAddress, header: IFADDRMSG },
  route: { type: Type.getRoute, header: RTMSG },
  rule: { type: Type.getRule, header: FIB_RULE_HDR },
};

/** Asks for all of a kind and, but for links, of a family; `undefined`: of every family. */
export function encodeRouteDump(subject: RouteSubject, family: 4 | 6 | undefined, sequence: number): Uint8Array {
  const { type, header } = DUMPS[subject];
  const body = new Uint8Array(header);
  if (family !== undefined) body[0] = familyCode(family);
  return encodeNetlinkMessage({ type, flags: NLM_F_REQUEST | NLM_F_DUMP, sequence }, [body]);
}

function familyCode(family: 4 | 6): number {
  return family === 4 ? AF_INET : AF_INET6;
}

/** A unicast route. */
export interface RouteChange {
  readonly family: 4 | 6;
  readonly table: number;
  readonly protocol: number;
  readonly destination: string | undefined;
  readonly prefix: number;
  readonly index: number;
  readonly gateway: string | undefined;
  readonly source: string | undefined;
  readonly metric: number;
}

/** `set` adds a route or replaces the one to the same destination with the same metric. Throws a RangeError. */
export function encodeRouteChange(verb: 'set' | 'remove', route: RouteChange, sequence: number): Uint8Array {
  const { family, destination, gateway, source } = route;
  const body = new Uint8Array(RTMSG);
  body[0] = familyCode(family);
  body[1] = route.prefix;
  body[5] = route.protocol;
  body[6] = gateway === undefined && family === 4 ? RT_SCOPE_LINK : 0;
  body[7] = RTN_UNICAST;
  const attributes = [
    attribute(RTA_TABLE, u32(route.table)),
    attribute(RTA_OIF, u32(route.index)),
    attribute(RTA_PRIORITY, u32(route.metric)),
  ];
  if (destination !== undefined) attributes.push(attribute(RTA_DST, ipBytes(destination, family)));
  if (source !== undefined) attributes.push(attribute(RTA_PREFSRC, ipBytes(source, family)));
  if (gateway !== undefined) attributes.push(encodeGateway(gateway, family));
  const type = verb === 'set' ? Type.newRoute : Type.delRoute;
  const flags = NLM_F_REQUEST | NLM_F_ACK | (verb === 'set' ? NLM_F_CREATE | NLM_F_REPLACE : 0);
  return encodeNetlinkMessage({ type, flags, sequence }, [body, ...attributes]);
}

function encodeGateway(gateway: string, family: 4 | 6): Uint8Array {
  const isV6 = gateway.includes(':');
  if (isV6 === (family === 6)) return attribute(RTA_GATEWAY, ipBytes(gateway, family));
  return attribute(RTA_VIA, Uint8Array.of(familyCode(isV6 ? 6 : 4), 0, ...ipBytes(gateway, isV6 ? 6 : 4)));
}

/** `from ADDRESS lookup TABLE`. */
export interface RuleChange {
  readonly family: 4 | 6;
  readonly priority: number;
  readonly table: number;
  readonly protocol: number;
  readonly from: string;
  /** TCP from these source ports only, first and last. */
  readonly ports?: readonly [number, number] | undefined;
}

/** Adding one that is there already fails with EEXIST. Throws a RangeError. */
export function encodeRuleChange(verb: 'add' | 'remove', rule: RuleChange, sequence: number): Uint8Array {
  const { family } = rule;
  const source = ipBytes(rule.from, family);
  const body = new Uint8Array(FIB_RULE_HDR);
  body[0] = familyCode(family);
  body[2] = source.length * 8;
  body[7] = FR_ACT_TO_TBL;
  const type = verb === 'add' ? Type.newRule : Type.delRule;
  const flags = NLM_F_REQUEST | NLM_F_ACK | (verb === 'add' ? NLM_F_CREATE | NLM_F_EXCL : 0);
  return encodeNetlinkMessage({ type, flags, sequence }, [
    body,
    attribute(FRA_SRC, source),
    attribute(FRA_PRIORITY, u32(rule.priority)),
    attribute(FRA_TABLE, u32(rule.table)),
    attribute(FRA_PROTOCOL, Uint8Array.of(rule.protocol)),
    ...(rule.ports === undefined ? [] : portAttributes(rule.ports)),
  ]);
}

/** struct fib_rule_port_range: u16 start, end, in the machine's own order. */
function portAttributes([from, to]: readonly [number, number]): Uint8Array[] {
  return [attribute(FRA_IP_PROTO, Uint8Array.of(IPPROTO_TCP)), attribute(FRA_SPORT_RANGE, u32(from | (to << 16)))];
}
