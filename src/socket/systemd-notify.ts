// sd_notify(3): tells systemd that the service is ready, reloading, stopping, or alive.

import { close } from '../ffi/descriptors.ts';
import { nativeCopy } from '../ffi/native-buffer.ts';
import { sendto, socket } from '../ffi/sockets.ts';
import { AF_UNIX, MSG_NOSIGNAL, SOCK_CLOEXEC } from './constants.ts';

const SOCK_DGRAM = 2;
/** sizeof(sockaddr_un.sun_path) */
const PATH_MAX = 108;

/** Sends one state, e.g. `READY=1`; true when it went out. `path` is NOTIFY_SOCKET, `@…` for an abstract one. */
export function notifySystemd(path: string, state: string): boolean {
  const name = new TextEncoder().encode(path);
  if (name.length === 0 || name.length >= PATH_MAX || (path[0] !== '/' && path[0] !== '@')) return false;
  const address = nativeCopy(new Uint8Array(2 + name.length + 1));
  address.view.setUint16(0, AF_UNIX, true);
  address.bytes.set(name, 2);
  const isAbstract = path[0] === '@';
  if (isAbstract) address.bytes[2] = 0;
  const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const message = nativeCopy(new TextEncoder().encode(state));
  const sent = sendto(fd, message, message.size, MSG_NOSIGNAL, address, 2 + name.length + (isAbstract ? 0 : 1));
  close(fd);
  return sent === message.size;
}
