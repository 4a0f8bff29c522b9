// Other programs that set up endpoints, found in a /proc of our own making.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { findOtherManagers } from '#anabranch/netlink/other-managers.js';

const proc = mkdtempSync(join(tmpdir(), 'anabranch-proc-'));
after(() => rmSync(proc, { recursive: true, force: true }));

function add(pid: string, name: string, namespace: string | undefined): void {
  mkdirSync(join(proc, pid, 'ns'), { recursive: true });
  writeFileSync(join(proc, pid, 'comm'), `${name}\n`);
  if (namespace !== undefined) symlinkSync(namespace, join(proc, pid, 'ns/net'));
}

test('those of our network namespace are found, and those that nobody may look at', () => {
  assert.deepEqual(findOtherManagers(join(proc, 'nothing')), []);
  add('self', 'node', 'net:[1]');
  add('10', 'NetworkManager', 'net:[1]');
  add('11', 'mptcpd', 'net:[2]');
  add('12', 'mptcpd', undefined);
  add('13', 'bash', 'net:[1]');
  add('acpi', 'NetworkManager', 'net:[1]');
  mkdirSync(join(proc, '14'));
  assert.deepEqual(findOtherManagers(proc), [
    { name: 'NetworkManager', pid: 10 },
    { name: 'mptcpd', pid: 12 },
  ]);
});
