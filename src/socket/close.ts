// Closing a socket that no connection object owns.

import { close } from '../ffi/descriptors.ts';

export function closeSocket(fd: number): void {
  close(fd);
}
