// Resource limits of this process.

import { declare, lastErrno } from './library.ts';
import { LinuxError } from './linux-error.ts';
import { NativeBuffer } from './native-buffer.ts';

const prlimit = declare('int prlimit(int pid, int resource, uintptr_t next, uintptr_t previous)');

/** include/uapi/asm-generic/resource.h */
const RLIMIT_NOFILE = 7;

/** Raises the soft limit on open descriptors to the hard one and returns it. Throws a LinuxError. */
export function raiseDescriptorLimit(): number {
  // struct rlimit: unsigned long soft, hard
  const limit = new NativeBuffer(16);
  if (prlimit(0, RLIMIT_NOFILE, 0, limit.address) < 0) throw new LinuxError(lastErrno(), 'prlimit');
  limit.view.setBigUint64(0, limit.view.getBigUint64(8, true), true);
  if (prlimit(0, RLIMIT_NOFILE, limit.address, 0) < 0) throw new LinuxError(lastErrno(), 'prlimit');
  return Number(limit.view.getBigUint64(0, true));
}
