// TCP packets out of a pcap file (draft-ietf-opsawg-pcap) of an Ethernet-like link. Pure: bytes in, values out.

export interface TcpPacket {
  /** Nanoseconds after the capture's first packet. */
  readonly atNs: number;
  readonly fromPort: number;
  readonly toPort: number;
  readonly flags: number;
  /** TCP payload as sent, however little of it was captured. */
  readonly payloadBytes: number;
}

/** RFC 9293 §3.1 */
export const TcpFlag = { fin: 0x01, syn: 0x02, rst: 0x04, ack: 0x10 } as const;

/** draft-ietf-opsawg-pcap §4: time stamps in microseconds or nanoseconds, in the writer's byte order. */
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
const FILE_HEADER = 24;
const RECORD_HEADER = 16;
const LINKTYPE_ETHERNET = 1;
const ETHERNET_HEADER = 14;
const ETHERTYPE_IPV4 = 0x0800;
const PROTOCOL_TCP = 6;

export class CaptureError extends Error {
  readonly code = 'BAD_CAPTURE';
}

/** The IPv4 TCP packets in order of time. A record cut off at the end of the file is left out. Throws a CaptureError. */
export function parseCapture(file: Uint8Array): TcpPacket[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < FILE_HEADER) throw new CaptureError(`a capture of ${file.length} bytes has no header`);
  const littleEndian = isMagic(view.getUint32(0, true));
  const magic = view.getUint32(0, littleEndian);
  if (!isMagic(magic)) throw new CaptureError(`not a pcap file: it begins with 0x${magic.toString(16)}`);
  const link = view.getUint32(20, littleEndian) & 0xffff;
  if (link !== LINKTYPE_ETHERNET) throw new CaptureError(`link type ${link}: only Ethernet (1) is read`);
  const unitNs = magic === MAGIC_NANOSECONDS ? 1 : 1_000;
  const packets: TcpPacket[] = [];
  let firstSecond: number | undefined;
  for (let at = FILE_HEADER; at + RECORD_HEADER <= file.length; ) {
    const second = view.getUint32(at, littleEndian);
    const captured = view.getUint32(at + 8, littleEndian);
    const start = at + RECORD_HEADER;
    if (start + captured > file.length) break;
    firstSecond ??= second;
    // Seconds from the first one on keep the sum within the 53 bits that are exact.
    const atNs = (second - firstSecond) * 1e9 + view.getUint32(at + 4, littleEndian) * unitNs;
    const packet = parseEthernet(new DataView(file.buffer, file.byteOffset + start, captured), atNs);
    if (packet !== undefined) packets.push(packet);
    at = start + captured;
  }
  return packets.sort((a, b) => a.atNs - b.atNs);
}

function isMagic(value: number): boolean {
  return value === MAGIC_MICROSECONDS || value === MAGIC_NANOSECONDS;
}

/** Undefined for anything but a whole IPv4 and TCP header. */
function parseEthernet(frame: DataView, atNs: number): TcpPacket | undefined {
  if (frame.byteLength < ETHERNET_HEADER + 40 || frame.getUint16(12) !== ETHERTYPE_IPV4) return undefined;
  // RFC 791 §3.1
  const ip = ETHERNET_HEADER;
  const ipHeader = (frame.getUint8(ip) & 0x0f) * 4;
  if (ipHeader < 20 || frame.getUint8(ip + 9) !== PROTOCOL_TCP) return undefined;
  const fragmentOffset = frame.getUint16(ip + 6) & 0x1fff;
  const tcp = ip + ipHeader;
  if (fragmentOffset !== 0 || tcp + 20 > frame.byteLength) return undefined;
  const tcpHeader = (frame.getUint8(tcp + 12) >> 4) * 4;
  return {
    atNs,
    fromPort: frame.getUint16(tcp),
    toPort: frame.getUint16(tcp + 2),
    flags: frame.getUint8(tcp + 13),
    payloadBytes: Math.max(0, frame.getUint16(ip + 2) - ipHeader - tcpHeader),
  };
}
