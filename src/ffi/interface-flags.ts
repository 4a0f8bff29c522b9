// Flags of a network interface: netdevice(7), SIOCGIFFLAGS.

import { declare, lastErrno } from './library.ts';
import { NativeBuffer } from './native-buffer.ts';

const ioctl = declare('int ioctl(int fd, unsigned long request, uintptr_t argument)');

/** include/uapi/linux/sockios.h */
const SIOCGIFFLAGS = 0x8913;
/** struct ifreq: 16 bytes of name, then a union. */
const IFREQ_SIZE = 40;
const NAME_SIZE = 16;

const request = new NativeBuffer(IFREQ_SIZE);

/** The flags (IFF_UP 0x1, IFF_RUNNING 0x40), or −errno: ENODEV when there is none of this name. `fd`: any socket. */
export function interfaceFlags(fd: number, name: string): number {
  request.bytes.fill(0);
  request.bytes.set(new TextEncoder().encode(name).subarray(0, NAME_SIZE - 1));
  const status = ioctl(fd, SIOCGIFFLAGS, request.address);
  return status < 0 ? -lastErrno() : request.view.getUint16(NAME_SIZE, true);
}
