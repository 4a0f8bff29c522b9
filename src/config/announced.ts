// An address that a gateway tells its clients of, with a port of its own or that of the connection.

import { parseHostPort } from '../wire/destination.ts';
import { canonicalIp, ipToBytes } from '../wire/ip.ts';
import type { AnnouncedAddress } from './config.ts';
import type { Reading } from './readings.ts';

export const ANNOUNCED_HINT =
  'an IP address of this gateway alone, with or without a port: 198.51.100.9, "[2001:db8::9]:10443"';

/** Port 0: that of the connection. */
export function readAnnounced(text: string): Reading<AnnouncedAddress> {
  const bare = canonicalIp(text.replace(/^\[(.*)\]$/, '$1'));
  const pair = bare === undefined ? parseHostPort(text) : { host: bare, port: 0 };
  const address = pair === undefined ? undefined : canonicalIp(pair.host);
  if (pair === undefined || address === undefined) return { wrong: 'is not an IP address', hint: ANNOUNCED_HINT };
  const bytes = ipToBytes(address);
  const isAny = bytes.every((byte) => byte === 0);
  const first = bytes[0] as number;
  const isLoopback = address === '::1' || (bytes.length === 4 && first === 127);
  const isMulticast = bytes.length === 4 ? first >= 224 : first === 0xff;
  if (isAny || isLoopback || isMulticast) return { wrong: 'is no address that clients can join', hint: ANNOUNCED_HINT };
  return { value: { address, port: pair.port } };
}
