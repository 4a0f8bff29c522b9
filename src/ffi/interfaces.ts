// Network interfaces by name.

import { declare, lastErrno } from './library.ts';

const ifNameToIndex = declare('unsigned int if_nametoindex(const char *name)');

/** The index of an interface of the calling thread's network namespace, or −errno (ENODEV). */
export function interfaceIndex(name: string): number {
  const index = ifNameToIndex(name);
  return index === 0 ? -lastErrno() : index;
}
