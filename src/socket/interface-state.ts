// Is a network interface switched on, and has it a link? Asked of the kernel, in the network namespace we run in:
// sysfs may show another one's.

import { close } from '../ffi/descriptors.ts';
import { interfaceFlags } from '../ffi/interface-flags.ts';
import { socket } from '../ffi/sockets.ts';
import { AF_INET, SOCK_CLOEXEC, SOCK_STREAM } from './constants.ts';

/** include/uapi/linux/if.h */
const IFF_UP = 0x1;
const IFF_RUNNING = 0x40;

export type InterfaceState = 'up' | 'no-carrier' | 'down' | 'gone';

export function interfaceState(name: string): InterfaceState {
  const fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return 'gone';
  const flags = interfaceFlags(fd, name);
  close(fd);
  if (flags < 0) return 'gone';
  if ((flags & IFF_UP) === 0) return 'down';
  return (flags & IFF_RUNNING) === 0 ? 'no-carrier' : 'up';
}
