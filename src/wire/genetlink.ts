// Generic netlink: the header of its messages, and the question after a family's number and multicast groups, which
// change from boot to boot. Layouts: include/uapi/linux/genetlink.h.

import { NLM_F_REQUEST } from './netlink.ts';
import { attribute, encodeNetlinkMessage, NLM_F_ACK, u16, zeroEnded } from './netlink-encode.ts';
import { Attributes } from './netlink-read.ts';
import { ProtocolError } from './protocol-error.ts';

/** struct genlmsghdr: u8 command, version; u16 reserved. */
const GENLMSGHDR = 4;
const GENL_ID_CTRL = 16;
const CTRL_CMD_NEWFAMILY = 1;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;
const CTRL_ATTR_VERSION = 3;
const CTRL_ATTR_MCAST_GROUPS = 7;
const CTRL_ATTR_MCAST_GRP_NAME = 1;
const CTRL_ATTR_MCAST_GRP_ID = 2;

export interface GenericFamily {
  /** Type of its messages. */
  readonly id: number;
  readonly name: string;
  readonly version: number;
  /** Numbers for NETLINK_ADD_MEMBERSHIP by name. Bounded by the message. */
  readonly groups: ReadonlyMap<string, number>;
}

export interface GenericMessage {
  readonly command: number;
  readonly attributes: Attributes;
}

export function encodeGenericMessage(
  header: { readonly family: number; readonly command: number; readonly version: number },
  flags: number,
  sequence: number,
  attributes: readonly Uint8Array[],
): Uint8Array {
  const { family, command, version } = header;
  const head = Uint8Array.of(command, version, 0, 0);
  return encodeNetlinkMessage({ type: family, flags, sequence }, [head, ...attributes]);
}

/** The payload of a message of generic netlink. Throws a ProtocolError. */
export function parseGenericMessage(payload: Uint8Array): GenericMessage {
  if (payload.length < GENLMSGHDR) throw new ProtocolError('malformed', 'genetlink: a message without its header');
  return { command: payload[0] as number, attributes: new Attributes(payload, GENLMSGHDR) };
}

/** Asks for a family by name. A kernel without it answers ENOENT. */
export function encodeGetFamily(name: string, sequence: number): Uint8Array {
  const header = { family: GENL_ID_CTRL, command: CTRL_CMD_GETFAMILY, version: 2 };
  return encodeGenericMessage(header, NLM_F_REQUEST | NLM_F_ACK, sequence, [
    attribute(CTRL_ATTR_FAMILY_ID, u16(0)),
    attribute(CTRL_ATTR_FAMILY_NAME, zeroEnded(name)),
  ]);
}

/** The answer; `undefined` for a message of another kind. Throws a ProtocolError. */
export function parseFamily(type: number, payload: Uint8Array): GenericFamily | undefined {
  if (type !== GENL_ID_CTRL) return undefined;
  const { command, attributes } = parseGenericMessage(payload);
  if (command !== CTRL_CMD_NEWFAMILY) return undefined;
  const id = attributes.u16(CTRL_ATTR_FAMILY_ID);
  if (id === undefined) throw new ProtocolError('malformed', 'genetlink: a family without its number');
  const groups = new Map<string, number>();
  const listed = attributes.bytes(CTRL_ATTR_MCAST_GROUPS);
  if (listed !== undefined) for (const [name, group] of readGroups(listed)) groups.set(name, group);
  const name = attributes.text(CTRL_ATTR_FAMILY_NAME) ?? '';
  return { id, name, version: attributes.u32(CTRL_ATTR_VERSION) ?? 1, groups };
}

/** An array whose attributes' types are its indices from 1 on. */
function* readGroups(listed: Uint8Array): Iterable<readonly [string, number]> {
  const groups = new Attributes(listed);
  for (let i = 1; groups.has(i); i++) {
    const group = groups.nested(i);
    const name = group?.text(CTRL_ATTR_MCAST_GRP_NAME);
    const id = group?.u32(CTRL_ATTR_MCAST_GRP_ID);
    if (name !== undefined && id !== undefined) yield [name, id];
  }
}
