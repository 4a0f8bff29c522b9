// Names of errnos for the rooms above, which may not reach into ffi.

import { errnoName as nameOf } from '../ffi/linux-error.ts';

/** `ECONNREFUSED` for 111; `E123` for a number without a name. */
export function errnoName(errno: number): string {
  return nameOf(errno);
}
