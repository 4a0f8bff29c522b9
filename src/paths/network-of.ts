// The network that an address lies in.

import { ipFromBytes, ipToBytes } from '../wire/ip.ts';

/** The address with all bits behind the prefix at zero. */
export function networkOf(address: string, prefix: number): string {
  const bytes = ipToBytes(address).map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, prefix - i * 8))));
  return ipFromBytes(bytes);
}
