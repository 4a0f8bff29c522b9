// Receives a short answer, for code that speaks a few bytes and has no data plane.

import { NativeBuffer } from '../ffi/native-buffer.ts';
import { recv } from '../ffi/sockets.ts';
import { MSG_DONTWAIT } from './constants.ts';

const BYTES_MAX = 4_096;

const buffer = new NativeBuffer(BYTES_MAX);

/** What has come, a copy of at most 4 KiB; empty at the end of the stream; −errno, −EAGAIN (−11) while there is nothing. */
export function receiveBytes(fd: number): Uint8Array | number {
  const got = recv(fd, buffer, 0, BYTES_MAX, MSG_DONTWAIT);
  return got < 0 ? got : buffer.bytes.slice(0, got);
}
