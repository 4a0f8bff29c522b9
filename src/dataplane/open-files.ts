// How many descriptors this process may open: every connection takes two.

import { raiseDescriptorLimit } from '../ffi/limits.ts';

/** Raises the soft limit to the hard one; returns what holds now. */
export function raiseOpenFiles(): number {
  return raiseDescriptorLimit();
}
