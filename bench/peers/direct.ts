// No proxy: what the machine and the load can do at the most.

import { release } from 'node:os';
import type { Peer } from './peer.ts';

export const direct: Peer = {
  name: 'direct',
  about: 'no proxy; MPTCP from end to end where a side of the others speaks it',
  entries: ['forward'],
  mptcp: true,
  version: () => `Linux ${release()}`,
  launch: () => undefined,
};
