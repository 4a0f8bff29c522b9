// Subflows of MPTCP connections, in a network of their own, with and without the right to administer it.

import { readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { testOnLabHost } from '../lab-host.ts';
import { requireCommands, requireMptcp, requireNamespaces } from '../requirements.ts';

const inside = fileURLToPath(new URL('./subflows-inside.js', import.meta.url));
const skip = requireMptcp() || requireCommands('ip', 'ss', 'nft', 'nstat', 'nsenter') || requireNamespaces();

test('subflows in a namespace', { skip }, () => {
  const outside = readlinkSync('/proc/self/ns/net');
  return testOnLabHost(inside, { args: () => [outside] });
});
