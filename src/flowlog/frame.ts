// One frame of the spool: a batch of entries as JSON, with what it takes to notice that it was torn.
//
//   payload bytes, u32 | CRC-32 of all that follows, u32 | entries, u32 | payload        (big endian)
//
// CRC-32 is that of RFC 1952 §8. The count stands in front, so that counting a segment's entries reads only headers.

import { crc32 } from 'node:zlib';
import { type Batch, entriesOf } from './entry.ts';

export const FRAME_HEADER_BYTES = 12;
/** A frame that claims more is damaged. */
export const FRAME_PAYLOAD_BYTES_MAX = 16 << 20;
const CRC_AT = 4;
const COUNT_AT = 8;

/** The bytes are not a frame: the rest of the segment is lost. */
export class FrameError extends Error {
  readonly code = 'frame-damaged';

  constructor(what: string) {
    super(`a frame of the spool is damaged: ${what}`);
    this.name = 'FrameError';
  }
}

/** Empty kinds are left out. Undefined when the batch is larger than a frame may be. */
export function encodeFrame(batch: Batch): Buffer | undefined {
  const kinds = Object.entries(batch).filter(([, entries]) => entries.length > 0);
  const payload = JSON.stringify(Object.fromEntries(kinds));
  const length = Buffer.byteLength(payload);
  if (length > FRAME_PAYLOAD_BYTES_MAX) return undefined;
  const frame = Buffer.allocUnsafe(FRAME_HEADER_BYTES + length);
  frame.writeUInt32BE(length, 0);
  frame.writeUInt32BE(entriesOf(batch), COUNT_AT);
  frame.write(payload, FRAME_HEADER_BYTES);
  frame.writeUInt32BE(crc32(frame.subarray(COUNT_AT)), CRC_AT);
  return frame;
}

export interface FrameHeader {
  readonly payloadBytes: number;
  readonly count: number;
}

/** Undefined: more bytes are needed. Throws a FrameError. */
export function parseFrameHeader(bytes: Buffer): FrameHeader | undefined {
  if (bytes.length < FRAME_HEADER_BYTES) return undefined;
  const payloadBytes = bytes.readUInt32BE(0);
  if (payloadBytes === 0 || payloadBytes > FRAME_PAYLOAD_BYTES_MAX) {
    throw new FrameError(`it claims ${payloadBytes} bytes`);
  }
  return { payloadBytes, count: bytes.readUInt32BE(COUNT_AT) };
}

/** Undefined: more bytes are needed. Throws a FrameError. */
export function parseFrame(bytes: Buffer): { readonly value: Batch; readonly bytesRead: number } | undefined {
  const header = parseFrameHeader(bytes);
  if (header === undefined) return undefined;
  const bytesRead = FRAME_HEADER_BYTES + header.payloadBytes;
  if (bytes.length < bytesRead) return undefined;
  if (crc32(bytes.subarray(COUNT_AT, bytesRead)) !== bytes.readUInt32BE(CRC_AT)) throw new FrameError('wrong CRC');
  return { value: readPayload(bytes.toString('utf8', FRAME_HEADER_BYTES, bytesRead)), bytesRead };
}

function readPayload(text: string): Batch {
  let payload: Partial<Batch>;
  try {
    payload = JSON.parse(text) as Partial<Batch>;
  } catch {
    throw new FrameError('not JSON');
  }
  const { flows = [], samples = [], events = [] } = payload;
  return { flows, samples, events };
}
