// The kernel's MPTCP path manager over generic netlink: endpoints, limits, the commands of the userspace path manager,
// events. Layouts: include/uapi/linux/mptcp_pm.h, Documentation/netlink/specs/mptcp_pm.yaml.

import { encodeGenericMessage, type GenericFamily, type GenericMessage } from './genetlink.ts';
import { NLM_F_REQUEST } from './netlink.ts';
import {
  AF_INET,
  AF_INET6,
  attribute,
  ipBytes,
  NLM_F_ACK,
  NLM_F_DUMP,
  nested,
  u8,
  u16,
  u32,
} from './netlink-encode.ts';
import type { Attributes } from './netlink-read.ts';
import { ProtocolError } from './protocol-error.ts';

export const MPTCP_PM_FAMILY = 'mptcp_pm';
export const MPTCP_PM_EVENTS = 'mptcp_pm_events';

const Command = {
  addAddress: 1,
  deleteAddress: 2,
  getAddress: 3,
  flushAddresses: 4,
  setLimits: 5,
  getLimits: 6,
  setFlags: 7,
  announce: 8,
  remove: 9,
  createSubflow: 10,
  destroySubflow: 11,
} as const;

/** MPTCP_PM_ADDR_FLAG_…; MPTCP_PM_ENDPOINT_… from 6.18 on. */
export const EndpointFlag = {
  signal: 0x01,
  subflow: 0x02,
  backup: 0x04,
  fullmesh: 0x08,
  /** Only the kernel makes these. */
  implicit: 0x10,
  laminar: 0x20,
} as const;
export type EndpointFlag = keyof typeof EndpointFlag;

/** A local or remote address as the path manager knows it. */
export interface PmAddress {
  readonly address: string;
  /** 0: in a command, any; of a connection, its first address. Others 1 to 255. */
  readonly id: number;
  readonly port: number;
  readonly flags: readonly EndpointFlag[];
  /** Of the interface it is bound to; 0 for none. */
  readonly index: number;
}

export interface PmLimits {
  /** Announced addresses taken up for each connection, 0 to 8. */
  readonly acceptedAddresses: number;
  /** Further subflows of each connection, 0 to 8. */
  readonly subflows: number;
}

const ATTR_ADDR = 1;
const ATTR_RCV_ADD_ADDRS = 2;
const ATTR_SUBFLOWS = 3;
const ATTR_TOKEN = 4;
const ATTR_LOC_ID = 5;
const ATTR_ADDR_REMOTE = 6;

const ADDR_FAMILY = 1;
const ADDR_ID = 2;
const ADDR_ADDR4 = 3;
const ADDR_ADDR6 = 4;
const ADDR_PORT = 5;
const ADDR_FLAGS = 6;
const ADDR_IF_IDX = 7;

/** `addr` and `remote` of the userspace commands name ports; `token` is the connection's. */
export type PmRequest =
  | { readonly kind: 'add' | 'delete' | 'setFlags'; readonly address: PmAddress }
  | { readonly kind: 'flush' | 'list' | 'getLimits' }
  | { readonly kind: 'setLimits'; readonly limits: PmLimits }
  | { readonly kind: 'announce'; readonly token: number; readonly address: PmAddress }
  | { readonly kind: 'remove'; readonly token: number; readonly id: number }
  /** What a connection of the userspace path manager has announced or joined from; answered as `list` is. */
  | { readonly kind: 'listOf'; readonly token: number }
  | {
      readonly kind: 'createSubflow' | 'destroySubflow' | 'setSubflowFlags';
      readonly token: number;
      readonly address: PmAddress;
      readonly remote: PmAddress;
    };

const COMMANDS: Readonly<Record<PmRequest['kind'], number>> = {
  add: Command.addAddress,
  delete: Command.deleteAddress,
  setFlags: Command.setFlags,
  flush: Command.flushAddresses,
  list: Command.getAddress,
  listOf: Command.getAddress,
  getLimits: Command.getLimits,
  setLimits: Command.setLimits,
  announce: Command.announce,
  remove: Command.remove,
  createSubflow: Command.createSubflow,
  destroySubflow: Command.destroySubflow,
  setSubflowFlags: Command.setFlags,
};

/** The whole message. Throws a RangeError when an address is no literal. */
export function encodePmRequest({ id, version }: GenericFamily, request: PmRequest, sequence: number): Uint8Array {
  const isList = request.kind === 'list' || request.kind === 'listOf';
  const flags = NLM_F_REQUEST | (isList ? NLM_F_DUMP : NLM_F_ACK);
  const header = { family: id, command: COMMANDS[request.kind], version };
  return encodeGenericMessage(header, flags, sequence, requestAttributes(request));
}

function requestAttributes(request: PmRequest): Uint8Array[] {
  switch (request.kind) {
    case 'flush':
    case 'list':
    case 'getLimits':
      return [];
    case 'add':
    case 'delete':
    case 'setFlags':
      return [encodeAddress(ATTR_ADDR, request.address)];
    case 'setLimits':
      return [
        attribute(ATTR_RCV_ADD_ADDRS, u32(request.limits.acceptedAddresses)),
        attribute(ATTR_SUBFLOWS, u32(request.limits.subflows)),
      ];
    case 'announce':
      return [encodeAddress(ATTR_ADDR, request.address), attribute(ATTR_TOKEN, u32(request.token))];
    case 'listOf':
      return [attribute(ATTR_TOKEN, u32(request.token))];
    case 'remove':
      return [attribute(ATTR_TOKEN, u32(request.token)), attribute(ATTR_LOC_ID, u8(request.id))];
    default:
      return [
        encodeAddress(ATTR_ADDR, request.address),
        attribute(ATTR_TOKEN, u32(request.token)),
        encodeAddress(ATTR_ADDR_REMOTE, request.remote),
      ];
  }
}

function encodeAddress(type: number, { address, id, port, flags, index }: PmAddress): Uint8Array {
  const family = address.includes(':') ? 6 : 4;
  const attributes = [
    attribute(ADDR_FAMILY, u16(family === 4 ? AF_INET : AF_INET6)),
    attribute(family === 4 ? ADDR_ADDR4 : ADDR_ADDR6, ipBytes(address, family)),
  ];
  if (id > 0) attributes.push(attribute(ADDR_ID, u8(id)));
  // In the machine's own order here, unlike in events.
  if (port > 0) attributes.push(attribute(ADDR_PORT, u16(port)));
  if (flags.length > 0) attributes.push(attribute(ADDR_FLAGS, u32(flagBits(flags))));
  if (index > 0) attributes.push(attribute(ADDR_IF_IDX, u32(index)));
  return nested(type, attributes);
}

function flagBits(flags: readonly EndpointFlag[]): number {
  return flags.reduce((bits, flag) => bits | EndpointFlag[flag], 0);
}

const FLAG_NAMES = Object.keys(EndpointFlag) as EndpointFlag[];

/** One endpoint of the answer to `list` or `listOf`; `undefined` for another message. Throws a ProtocolError. */
export function parseEndpoint({ command, attributes }: GenericMessage): PmAddress | undefined {
  const inside = command === Command.getAddress ? attributes.nested(ATTR_ADDR) : undefined;
  if (inside === undefined) return undefined;
  const address = inside.ip(ADDR_ADDR4) ?? inside.ip(ADDR_ADDR6);
  if (address === undefined) throw new ProtocolError('malformed', 'mptcp_pm: an endpoint without its address');
  const bits = inside.u32(ADDR_FLAGS) ?? 0;
  return {
    address,
    id: inside.u8(ADDR_ID) ?? 0,
    port: inside.u16(ADDR_PORT) ?? 0,
    flags: FLAG_NAMES.filter((name) => (bits & EndpointFlag[name]) !== 0),
    index: inside.s32(ADDR_IF_IDX) ?? 0,
  };
}

/** The answer to `getLimits`; `undefined` for another message. */
export function parseLimits({ command, attributes }: GenericMessage): PmLimits | undefined {
  const subflows = attributes.u32(ATTR_SUBFLOWS);
  const acceptedAddresses = attributes.u32(ATTR_RCV_ADD_ADDRS);
  if (command !== Command.getLimits || subflows === undefined || acceptedAddresses === undefined) return undefined;
  return { subflows, acceptedAddresses };
}

/** enum mptcp_event_type */
const EVENTS = {
  1: 'created',
  2: 'established',
  3: 'closed',
  6: 'announced',
  7: 'removed',
  10: 'subflow-established',
  11: 'subflow-closed',
  13: 'subflow-priority',
  15: 'listener-created',
  16: 'listener-closed',
} as const;
export type PmEventKind = (typeof EVENTS)[keyof typeof EVENTS];

/** What an event tells; each kind fills some of it. */
export interface PmEvent {
  readonly kind: PmEventKind;
  readonly token: number | undefined;
  readonly local: PmEventEnd;
  readonly remote: PmEventEnd;
  /** Of a subflow: the peer wants it for lack of others only. */
  readonly backup: boolean | undefined;
  /** errno that ended a subflow; 0 for none. */
  readonly errno: number;
  readonly index: number;
  /** RFC 8684 §3.6, of a subflow that was reset; `undefined` when no reason came. */
  readonly resetReason: number | undefined;
  readonly serverSide: boolean;
  /** Of a new connection: the peer takes no further subflows at the address and port of the first one (RFC 8684 §3.1). */
  readonly denyJoinInitial: boolean;
}

export interface PmEventEnd {
  readonly address: string | undefined;
  readonly port: number;
  readonly id: number | undefined;
}

const EVENT_TOKEN = 1;
const EVENT_LOC_ID = 3;
const EVENT_REM_ID = 4;
const EVENT_SADDR4 = 5;
const EVENT_SADDR6 = 6;
const EVENT_DADDR4 = 7;
const EVENT_DADDR6 = 8;
const EVENT_SPORT = 9;
const EVENT_DPORT = 10;
const EVENT_BACKUP = 11;
const EVENT_ERROR = 12;
const EVENT_FLAGS = 13;
const EVENT_IF_IDX = 15;
const EVENT_RESET_REASON = 16;
const EVENT_SERVER_SIDE = 18;
const FLAG_DENY_JOIN_ID0 = 0x1;
const FLAG_SERVER_SIDE = 0x2;

/** An event; `undefined` for kinds that this version does not know. */
export function parsePmEvent({ command, attributes }: GenericMessage): PmEvent | undefined {
  const kind = (EVENTS as Readonly<Record<number, PmEventKind>>)[command];
  if (kind === undefined) return undefined;
  const backup = attributes.u8(EVENT_BACKUP);
  const flags = attributes.u16(EVENT_FLAGS) ?? 0;
  return {
    kind,
    token: attributes.u32(EVENT_TOKEN),
    local: readEnd(attributes, [EVENT_SADDR4, EVENT_SADDR6], EVENT_SPORT, EVENT_LOC_ID),
    remote: readEnd(attributes, [EVENT_DADDR4, EVENT_DADDR6], EVENT_DPORT, EVENT_REM_ID),
    backup: backup === undefined ? undefined : backup !== 0,
    errno: attributes.u8(EVENT_ERROR) ?? 0,
    index: attributes.s32(EVENT_IF_IDX) ?? 0,
    resetReason: attributes.u32(EVENT_RESET_REASON),
    serverSide: (flags & FLAG_SERVER_SIDE) !== 0 || (attributes.u8(EVENT_SERVER_SIDE) ?? 0) !== 0,
    denyJoinInitial: (flags & FLAG_DENY_JOIN_ID0) !== 0,
  };
}

function readEnd(attributes: Attributes, [four, six]: readonly [number, number], port: number, id: number): PmEventEnd {
  const address = attributes.ip(four) ?? attributes.ip(six);
  return { address, port: attributes.be16(port) ?? 0, id: attributes.u8(id) };
}
