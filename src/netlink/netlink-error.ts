// A request that the kernel refused.

import { errnoName } from '../ffi/linux-error.ts';

export class NetlinkError extends Error {
  /** The errno's name: EPERM, EEXIST, … */
  readonly code: string;
  readonly errno: number;

  /** `what` says what was asked for, `reason` what the kernel found wrong with it. */
  constructor(errno: number, what: string, reason?: string) {
    const code = errnoName(errno);
    const hint = code === 'EPERM' ? '; it needs the right to administer the network (CAP_NET_ADMIN)' : '';
    super(`${what}: the kernel answered ${code}${reason === undefined ? '' : `, "${reason}"`}${hint}`);
    this.name = 'NetlinkError';
    this.code = code;
    this.errno = errno;
  }
}
