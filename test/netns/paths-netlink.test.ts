// The netlink adapter against the kernel, in a network of its own.

import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { testOnLabHost } from '../lab-host.ts';
import { requireCommands, requireMptcp, requireNamespaces } from '../requirements.ts';

const inside = fileURLToPath(new URL('./paths-netlink-inside.js', import.meta.url));
const skip = requireMptcp() || requireCommands('ip', 'nsenter') || requireNamespaces();

test('netlink in a namespace', { skip }, () =>
  testOnLabHost(inside, {
    others: ['elsewhere'],
    args: (lab) => {
      const { namespace, namespacePath } = lab.host('elsewhere');
      return [namespace, namespacePath];
    },
  }),
);
