// Which congestion control the demo can use on this kernel.

import { readFileSync } from 'node:fs';
import { LabError, LabErrorCode } from '../lab-error.ts';
import { CONGESTION_FALLBACK, CONGESTION_PREFERRED } from './demo-settings.ts';

/** Those that a network namespace may have as its default. */
const ALLOWED = '/proc/sys/net/ipv4/tcp_allowed_congestion_control';

/** The one asked for, or the best there is. Throws a LabError when that one is not to be had. */
export function chooseCongestion(asked: string | undefined, allowed = readAllowed()): string {
  if (asked === undefined) return allowed.includes(CONGESTION_PREFERRED) ? CONGESTION_PREFERRED : CONGESTION_FALLBACK;
  if (allowed.includes(asked)) return asked;
  throw new LabError(
    LabErrorCode.missing,
    `this kernel does not allow the congestion control ${asked}; it allows: ${allowed.join(', ')} (see ${ALLOWED})`,
  );
}

function readAllowed(): readonly string[] {
  try {
    return readFileSync(ALLOWED, 'utf8').trim().split(/\s+/);
  } catch {
    return [CONGESTION_FALLBACK];
  }
}
