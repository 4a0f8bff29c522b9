// Two connected unix sockets: how the main thread gets a connection that a data-plane thread relays.

import { orThrow } from '../ffi/linux-error.ts';
import { NativeBuffer } from '../ffi/native-buffer.ts';
import { socketpair } from '../ffi/sockets.ts';
import { AF_UNIX, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from './constants.ts';

/** Both descriptors are the caller's, non-blocking. Throws a LinuxError (EMFILE). */
export function openSocketPair(): [number, number] {
  const pair = new NativeBuffer(8);
  orThrow(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 'socketpair');
  return [pair.view.getInt32(0, true), pair.view.getInt32(4, true)];
}
