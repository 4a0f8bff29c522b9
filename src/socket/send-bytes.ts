// Small messages of a handshake, from the JavaScript heap to a socket.

import { NativeBuffer } from '../ffi/native-buffer.ts';
import { send } from '../ffi/sockets.ts';
import { MSG_DONTWAIT, MSG_NOSIGNAL } from './constants.ts';

const buffer = new NativeBuffer(1 << 16);

/** Sends at most 64 KiB; returns how many bytes went, or −errno. A fresh socket takes them all. */
export function sendBytes(fd: number, bytes: Uint8Array): number {
  const length = Math.min(bytes.length, buffer.size);
  buffer.bytes.set(bytes.subarray(0, length));
  return send(fd, buffer, 0, length, MSG_DONTWAIT | MSG_NOSIGNAL);
}
