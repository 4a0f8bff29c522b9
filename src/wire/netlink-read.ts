// Attributes of netlink messages by number, and the plain values in them. What is shorter than its type counts as not
// there: a kernel of another age may say less.

import { ipFromBytes } from './ip.ts';
import { parseAttributes, viewOf } from './netlink.ts';

/** The payloads by type; of several with one type the last. Bounded by the bytes. */
export class Attributes {
  readonly #byType = new Map<number, Uint8Array>();

  /** Throws a ProtocolError. */
  constructor(bytes: Uint8Array, offset = 0) {
    for (const { type, payload } of parseAttributes(bytes, offset)) this.#byType.set(type, payload);
  }

  has(type: number): boolean {
    return this.#byType.has(type);
  }

  bytes(type: number): Uint8Array | undefined {
    return this.#byType.get(type);
  }

  /** Throws a ProtocolError when what is inside is none. */
  nested(type: number): Attributes | undefined {
    const inside = this.#byType.get(type);
    return inside === undefined ? undefined : new Attributes(inside);
  }

  u8(type: number): number | undefined {
    return this.#sized(type, 1)?.getUint8(0);
  }

  u16(type: number): number | undefined {
    return this.#sized(type, 2)?.getUint16(0, true);
  }

  /** In network order. */
  be16(type: number): number | undefined {
    return this.#sized(type, 2)?.getUint16(0, false);
  }

  u32(type: number): number | undefined {
    return this.#sized(type, 4)?.getUint32(0, true);
  }

  s32(type: number): number | undefined {
    return this.#sized(type, 4)?.getInt32(0, true);
  }

  /** Up to the first zero byte. */
  text(type: number): string | undefined {
    const bytes = this.#byType.get(type);
    if (bytes === undefined) return undefined;
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  /** Canonical text of 4 or 16 bytes. */
  ip(type: number): string | undefined {
    const bytes = this.#byType.get(type);
    return bytes === undefined || (bytes.length !== 4 && bytes.length !== 16) ? undefined : ipFromBytes(bytes);
  }

  #sized(type: number, size: number): DataView | undefined {
    const bytes = this.#byType.get(type);
    return bytes === undefined || bytes.length < size ? undefined : viewOf(bytes);
  }
}
