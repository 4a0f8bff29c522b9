// What a client says first on each connection: which flow it is, and what it wants of the server.

import type { Parsed } from '../../wire/parsed.ts';
import { ProtocolError } from '../../wire/protocol-error.ts';

export interface Request {
  readonly key: number;
  readonly flow: number;
  /** Bytes of each request after this one; Infinity: all that comes is one, and a receipt the response. */
  readonly requestBytes: number;
  /** Infinity: until the client has enough. */
  readonly responseBytes: number;
  /** The response is made at this rate; 0: at once. */
  readonly bitsPerSecond: number;
  /** The server closes after the first response. */
  readonly once: boolean;
}

export const REQUEST_BYTES = 40;
const MAGIC = 0x616e_6231;

export function encodeRequest(request: Request): Uint8Array {
  const bytes = new Uint8Array(REQUEST_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(4, request.key);
  view.setUint32(8, request.flow);
  view.setUint32(12, request.once ? 1 : 0);
  view.setFloat64(16, request.requestBytes);
  view.setFloat64(24, request.responseBytes);
  view.setFloat64(32, request.bitsPerSecond);
  return bytes;
}

export function parseRequest(bytes: Uint8Array): Parsed<Request> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length >= 4 && view.getUint32(0) !== MAGIC) {
    throw new ProtocolError('malformed', 'this is no workload client of the lab');
  }
  if (bytes.length < REQUEST_BYTES) return undefined;
  const amount = (at: number): number => {
    const value = view.getFloat64(at);
    if (value >= 0) return value;
    throw new ProtocolError('malformed', `a request for ${value} bytes`);
  };
  const value: Request = {
    key: view.getUint32(4),
    flow: view.getUint32(8),
    requestBytes: amount(16),
    responseBytes: amount(24),
    bitsPerSecond: amount(32),
    once: view.getUint32(12) === 1,
  };
  return { value, bytesRead: REQUEST_BYTES };
}

/** What the server answers to an upload: how much it got. */
export const RECEIPT_BYTES = 16;

export function encodeReceipt(bytes: number): Uint8Array {
  const receipt = new Uint8Array(RECEIPT_BYTES);
  const view = new DataView(receipt.buffer);
  view.setUint32(0, MAGIC);
  view.setFloat64(8, bytes);
  return receipt;
}

export function parseReceipt(bytes: Uint8Array): Parsed<number> {
  if (bytes.length < RECEIPT_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== MAGIC) throw new ProtocolError('malformed', 'the receipt is not whole');
  return { value: view.getFloat64(8), bytesRead: RECEIPT_BYTES };
}
