// In which order the addresses of a name are tried: RFC 8305 §4. The addresses come in the resolver's order, which is
// kept within a family (we do not know the source addresses that RFC 6724 sorts by). Knows nothing of time or sockets.

import { familyOf } from '../wire/ip.ts';

export interface AddressOrderOptions {
  /** Families the machine has a route for; addresses of another are left out. Default: both. */
  readonly families?: readonly (4 | 6)[];
  /** The family to begin with: 6 unless told otherwise; the other one than that tried last when addresses come late. */
  readonly first?: 4 | 6;
}

/**
 * Interleaves the families, one address of each in turn (First Address Family Count 1), without duplicates. When no
 * address is of a routed family, all are returned: trying one gives the true error (ENETUNREACH), an empty list none.
 */
export function orderAddresses(addresses: readonly string[], options: AddressOrderOptions = {}): string[] {
  const { families = [4, 6], first = 6 } = options;
  const unique = [...new Set(addresses)];
  const routed = unique.filter((address) => families.includes(familyOf(address)));
  const usable = routed.length > 0 ? routed : unique;
  const leading = usable.filter((address) => familyOf(address) === first);
  const trailing = usable.filter((address) => familyOf(address) !== first);
  const ordered: string[] = [];
  for (let i = 0; i < Math.max(leading.length, trailing.length); i++) {
    const ahead = leading[i];
    const behind = trailing[i];
    if (ahead !== undefined) ordered.push(ahead);
    if (behind !== undefined) ordered.push(behind);
  }
  return ordered;
}
