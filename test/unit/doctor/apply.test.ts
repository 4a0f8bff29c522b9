import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';

import { applyRemedies, filesFor, MODULES_FILE, SYSCTL_FILE, writeKept } from '#anabranch/doctor/apply.js';
import { commandOf, mendedBy, sysctl, sysctlFileName, sysctlPath } from '#anabranch/doctor/remedy.js';

/** A folder in the place of /proc/sys. */
function settings(t: TestContext, values: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'anabranch-doctor-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [name, value] of Object.entries(values)) {
    const path = join(root, sysctlPath(name));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, value);
  }
  return root;
}

test('settings are changed, and read back; a second time there is nothing to do', async (t) => {
  const root = settings(t, { 'net.core.rmem_max': '212992\n', 'net.ipv4.tcp_rmem': '4096\t87380\t1048576\n' });
  const remedies = [sysctl('net.core.rmem_max', 4_194_304), sysctl('net.ipv4.tcp_rmem', '4096 87380 33554432')];
  const rehearsed = await applyRemedies(remedies, { rehearse: true, root });
  assert.deepEqual(
    rehearsed.map(({ before, after, failure }) => [before, after, failure]),
    [
      ['212992', '4194304', undefined],
      ['4096 87380 1048576', '4096 87380 33554432', undefined],
    ],
  );
  assert.equal(readFileSync(join(root, 'net/core/rmem_max'), 'utf8'), '212992\n');
  const applied = await applyRemedies(remedies, { rehearse: false, root });
  assert.deepEqual(applied, rehearsed);
  assert.equal(readFileSync(join(root, 'net/core/rmem_max'), 'utf8'), '4194304');
  const again = await applyRemedies(remedies, { rehearse: false, root });
  assert.deepEqual(
    again.map(({ before, after }) => before === after),
    [true, true],
  );
});

test('what cannot be changed is told, and the rest is changed all the same', async (t) => {
  const root = settings(t, { 'net.core.somaxconn': '128' });
  const [missing, present] = await applyRemedies([sysctl('net.no.such', 1), sysctl('net.core.somaxconn', 4096)], {
    rehearse: false,
    root,
  });
  assert.match(missing?.failure ?? '', /ENOENT/);
  assert.equal(missing?.before, undefined);
  assert.deepEqual([present?.after, present?.failure], ['4096', undefined]);
});

test('a module that is there needs no modprobe', async (t) => {
  const root = settings(t, { 'net.ipv4.tcp_available_congestion_control': 'reno cubic bbr\n' });
  const [change] = await applyRemedies([{ kind: 'module', name: 'tcp_bbr' }], { rehearse: false, root });
  assert.deepEqual([change?.before, change?.after, change?.failure], ['there', 'there', undefined]);
  const [other] = await applyRemedies([{ kind: 'module', name: 'tcp_vegas' }], { rehearse: true, root });
  assert.deepEqual([other?.before, other?.after], ['missing', 'there']);
});

test('by hand it is the same', () => {
  const { mend, remedies } = mendedBy([
    sysctl('net.ipv4.tcp_rmem', '4096 87380 33554432'),
    sysctl('net.core.somaxconn', 4096),
    { kind: 'module', name: 'tcp_bbr' },
    { kind: 'limits', subflows: 8, accepted: 8 },
  ]);
  assert.equal(remedies.length, 4);
  assert.deepEqual(mend, [
    'sysctl -w net.ipv4.tcp_rmem="4096 87380 33554432"',
    'sysctl -w net.core.somaxconn=4096',
    'modprobe tcp_bbr',
    'ip mptcp limits set subflows 8 add_addr_accepted 8',
  ]);
  assert.equal(commandOf(sysctl('net.ipv4.conf.eth0.7.rp_filter', 2)), 'sysctl -w net.ipv4.conf.eth0.7.rp_filter=2');
});

test('interfaces with dots in their names', () => {
  assert.equal(sysctlPath('net.ipv4.conf.eth0.7.rp_filter'), 'net/ipv4/conf/eth0.7/rp_filter');
  assert.equal(sysctlFileName('net.ipv4.conf.eth0.7.rp_filter'), 'net/ipv4/conf/eth0.7/rp_filter');
  assert.equal(sysctlFileName('net.ipv4.conf.eth0.rp_filter'), 'net.ipv4.conf.eth0.rp_filter');
  assert.equal(sysctlPath('fs.pipe-user-pages-soft'), 'fs/pipe-user-pages-soft');
});

test('the files that keep it: what is there stays, what is there twice is there once', (t) => {
  const there: Record<string, string> = {
    [SYSCTL_FILE]: '# ours\nnet.core.somaxconn = 128\n\nnet.core.rmem_max=4194304\n; old\n',
  };
  const remedies = [sysctl('net.core.somaxconn', 4096), { kind: 'module', name: 'tcp_bbr' } as const];
  const files = filesFor(remedies, (path) => there[path]);
  assert.deepEqual(files, [
    { path: SYSCTL_FILE, lines: ['net.core.somaxconn = 4096', 'net.core.rmem_max = 4194304'] },
    { path: MODULES_FILE, lines: ['tcp_bbr'] },
  ]);
  assert.deepEqual(
    filesFor([], () => undefined),
    [],
  );
  const root = settings(t, {});
  const [first] = files;
  const path = join(root, 'etc/sysctl.d/90-anabranch.conf');
  writeKept({ path, lines: first?.lines ?? [] });
  const text = readFileSync(path, 'utf8');
  assert.match(text, /^# Written by .*\nnet\.core\.somaxconn = 4096\nnet\.core\.rmem_max = 4194304\n$/);
  const again = filesFor(remedies, (asked) => (asked === SYSCTL_FILE ? text : undefined));
  assert.deepEqual(again[0]?.lines, first?.lines);
});
