// `anabranch doctor --fix` on a host of the lab, whose network settings are its own, with a /run and an /etc of its own.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import type { FixReport } from '#anabranch/cli/doctor-fix.js';
import { createLab } from '#anabranch/lab/lab.js';
import { requireCommands, requireMptcp, requireNamespaces } from '../requirements.ts';

const MAIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
const skip = requireMptcp() || requireCommands('ip', 'unshare', 'mount') || requireNamespaces();

/** Settings that all namespaces share: this test must not change them. */
const SHARED = /^fs\./;
const BETWEEN = '\n=====\n';

const SCRIPT = `
mount -t tmpfs none /run && mount -t tmpfs none /etc || exit 9
put() { echo "$2" > /proc/sys/net/$1 || exit 9; }
put mptcp/blackhole_timeout 3600
put mptcp/close_timeout 1
put ipv4/tcp_wmem '4096 16384 1048576'
ip link add v0 type veth peer name v1 && ip addr add 10.9.9.1/24 dev v0 && ip link set v0 up && ip link set v1 up || exit 9
ip mptcp limits set subflows 2 add_addr_accepted 0 || exit 9
doctor() { "$NODE" "$MAIN" doctor --fix "$@"; }
next() { printf '${BETWEEN.replaceAll('\n', '\\n')}'; }
doctor --dry-run --json; next
cat /proc/sys/net/mptcp/close_timeout; next
doctor --json; next
cat /proc/sys/net/mptcp/close_timeout /proc/sys/net/mptcp/blackhole_timeout /proc/sys/net/ipv4/tcp_wmem; ip mptcp limits; next
doctor --permanent; next
cat /etc/sysctl.d/90-anabranch.conf; next
doctor --permanent > /dev/null; cat /etc/sysctl.d/90-anabranch.conf
`;

test('settings are shown, changed, and kept', { skip, timeout: 240_000 }, async (t) => {
  const before = readFileSync('/proc/sys/net/mptcp/blackhole_timeout', 'utf8');
  const lab = await createLab({ name: 'doctor', hosts: { alone: {} }, links: {} });
  t.after(() => lab.close());
  // There is no /etc/ssl in there.
  const env = { NODE: process.execPath, MAIN, NODE_EXTRA_CA_CERTS: '' };
  const command = ['unshare', '--mount', 'sh', '-c', SCRIPT];
  const run = await lab.host('alone').exec(command, { env, timeoutMs: 100_000, check: false });
  const parts = run.stdout.split(BETWEEN);
  assert.equal(parts.length, 7, `${run.stdout}\n${run.stderr}`);
  assert.equal(run.stderr, '');
  const [rehearsal = '', untouched = '', first = '', now = '', text = '', file = '', again] = parts;

  const rehearsed = JSON.parse(rehearsal) as FixReport;
  const applied = JSON.parse(first) as FixReport;
  assert.equal(untouched.trim(), '1', 'a rehearsal changes nothing');
  const settings = rehearsed.changes.map(({ remedy }) => (remedy.kind === 'limits' ? 'limits' : remedy.name));
  if (settings.some((name) => SHARED.test(name))) return t.skip('a setting that all namespaces share would change');
  for (const name of ['net.mptcp.blackhole_timeout', 'net.mptcp.close_timeout', 'net.ipv4.tcp_wmem', 'limits']) {
    assert.ok(settings.includes(name), `${name} of ${settings}`);
  }
  assert.deepEqual(applied.changes, rehearsed.changes);
  assert.ok(applied.ok, first);
  assert.match(now, /^60\n60\n4096\t16384\t16777216\n/);
  assert.match(now, /add_addr_accepted 8 subflows 8/);

  assert.match(text, /^No setting is in need of change\./);
  assert.match(text, /Kept in \/etc\/sysctl\.d\/90-anabranch\.conf:/);
  assert.match(file, /^net\.mptcp\.close_timeout = 60$/m);
  assert.match(file, /^net\.ipv4\.tcp_wmem = 4096 16384 16777216$/m);
  assert.equal(again, file);
  assert.equal(readFileSync('/proc/sys/net/mptcp/blackhole_timeout', 'utf8'), before, 'here all is as it was');
});
