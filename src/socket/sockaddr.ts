// struct sockaddr_in and sockaddr_in6 to and from text (include/uapi/linux/in.h, in6.h).

import { NativeBuffer } from '../ffi/native-buffer.ts';
import type { Endpoint } from '../wire/destination.ts';
import { ipFromBytes, ipToBytes } from '../wire/ip.ts';
import { AF_INET, AF_INET6 } from './constants.ts';

/** sizeof(struct sockaddr_storage) */
export const SOCKADDR_STORAGE = 128;
const SOCKADDR_IN = 16;
const SOCKADDR_IN6 = 28;

/** A buffer for one socket address, and the 4-byte length that goes with it. Scratch space: one per use, not per call. */
export class SockaddrBuffer {
  readonly address = new NativeBuffer(SOCKADDR_STORAGE);
  readonly length = new NativeBuffer(4);

  /**
   * Writes an address and returns its length. `family` 6 writes an IPv4 address as IPv4-mapped. Throws a RangeError
   * when `address` is no literal.
   */
  write(address: string, port: number, family: 4 | 6 = address.includes(':') ? 6 : 4): number {
    const { bytes, view } = this.address;
    const ip = ipToBytes(address);
    bytes.fill(0, 0, SOCKADDR_IN6);
    view.setUint16(0, family === 4 ? AF_INET : AF_INET6, true);
    view.setUint16(2, port, false);
    if (family === 4) {
      bytes.set(ip, 4);
      return SOCKADDR_IN;
    }
    if (ip.length === 16) bytes.set(ip, 8);
    else {
      view.setUint16(18, 0xffff, false);
      bytes.set(ip, 20);
    }
    return SOCKADDR_IN6;
  }

  read(): Endpoint {
    return readSockaddr(this.address, 0);
  }
}

const NOWHERE: Endpoint = { address: '0.0.0.0', port: 0 };

/** The address at `offset`; `0.0.0.0:0` when it is of another family than IPv4 and IPv6. */
export function readSockaddr(buffer: NativeBuffer, offset: number): Endpoint {
  const { bytes, view } = buffer;
  const family = view.getUint16(offset, true);
  const port = view.getUint16(offset + 2, false);
  if (family === AF_INET) {
    const at = offset + 4;
    return { address: `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`, port };
  }
  if (family === AF_INET6) return { address: ipFromBytes(bytes.subarray(offset + 8, offset + 24)), port };
  return NOWHERE;
}
